/**
 * A recorded tree on plain calls of llama_decode: bench/native/replay_bench.cpp.
 *
 * Owns: one measured run. Must not know: the other contenders, how often it is run.
 *
 * What it does without: sampling (its tokens are forced), texts, JavaScript, and finding out which branches to keep.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { answer } from "../support/child.js";
import { rivalBinary } from "../support/rivals.js";
import { scheduleOf, tokensOf } from "./recorded-tree.js";
import type { ReplayResult, ReplayWork } from "./work.js";

/** `way` is the memory's kind, attention and the most rows of a batch: "unified plain 64". */
async function measure({ tree, way, threads, generator, verifier }: ReplayWork): Promise<ReplayResult> {
  const folder = mkdtempSync(join(tmpdir(), "thinktree-bench-"));
  try {
    const schedule = join(folder, "schedule");
    writeFileSync(schedule, scheduleOf(tree));
    const values = [
      ...way.split(" "),
      String(threads),
      schedule,
      generator,
      ...(verifier === undefined ? [] : [verifier]),
    ];
    const { status, stdout, error } = spawnSync(rivalBinary("replay_bench"), values, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (status !== 0) throw new Error(`replay_bench failed: ${error?.message ?? `exit code ${status}`}`);
    return {
      ...(JSON.parse(stdout) as Pick<ReplayResult, "totalMs" | "cpuMs" | "peakRssMb">),
      generatedTokens: tokensOf(tree),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await answer(measure);

/** `thinktree worker`, and evaluate and calibrate with --redis, from outside, on real models and a real Redis. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { prefix } from "../../lib/jobs/job.js";
import { RedisServer, unlessRedis } from "../support/redis.js";
import { easy, ended, modelFlags, models, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-worker-"));
const file = (name: string) => join(folder, name);
const text = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
const lines = (path: string) => text(path).split("\n").length - 1;
interface CalibratedPolicy {
  readonly models: object;
  readonly calibration: { readonly oraclePass1: number; readonly spearman: object };
}
/** A journal's lines, by their keys. */
const records = (path: string) =>
  new Map(
    text(path)
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => {
        const { key, value } = JSON.parse(line) as { key: string; value: { state?: unknown } };
        return [key, JSON.stringify({ ...value, state: undefined })];
      }),
  );
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const skip = unlessModels.skip || unlessRedis.skip;
describe.skipIf(skip)(`thinktree worker (needs models/)${unlessRedis.reason}`, () => {
  const questions = ["--questions", models?.heldOut ?? ""];
  let redis: RedisServer;
  const endings: (() => unknown)[] = [];
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(async () => {
    for (const end of endings) end();
    await redis.kill();
  });

  async function startWorker(name: string, flags: readonly string[] = []) {
    const own = ["--name", name, "--queue", "q", "--take-over", "1s", ...flags];
    const child = start(["worker", "--redis", redis.url, ...modelFlags, ...own]);
    endings.push(() => child.kill("SIGKILL"));
    const end = ended(child);
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes("is listening") && child.exitCode === null) await setTimeout(20);
    return { child, end };
  }
  const byWorkers = () => ["--redis", redis.url, "--queue", "q"];

  it("calibrates and evaluates as one process does, though a worker and the coordinator are killed", async () => {
    const calibrate = (out: string) => {
      const flags = ["--limit", "10", "--budgets", "1,4,8", "--bins", "2", "--out", file(`${out}.json`)];
      const kept = ["--journal", file(`${out}.jsonl`)];
      return ["calibrate", ...questions, ...modelFlags, ...flags, ...kept];
    };
    expect(await thinktree(calibrate("local"))).toMatchObject({ code: 0 });

    const [kept, doomed] = await Promise.all([startWorker("kept"), startWorker("doomed")]);
    const command = [...calibrate("spread"), ...byWorkers()];
    const journal = file("spread.jsonl");
    for (const { child } of [kept, doomed]) child.kill("SIGSTOP"); // or they would be through too soon
    const interrupted = start(command);
    const stopped = ended(interrupted);
    const queue = new Queue("q", { connection: { url: redis.url }, prefix });
    while ((await queue.count()) < 10 && interrupted.exitCode === null) await setTimeout(20);
    await queue.close();
    interrupted.kill("SIGINT");
    expect(await stopped).toMatchObject({
      ...{ code: 130, stdout: "" },
      stderr: expect.stringMatching(/^thinktree: stopped; \d+ of \d+ runs are done and kept in /) as string,
    });

    for (const { child } of [kept, doomed]) child.kill("SIGCONT");
    const coordinator = start(command);
    const killed = ended(coordinator);
    while (lines(journal) < 3 && coordinator.exitCode === null) await setTimeout(1);
    doomed.child.kill("SIGKILL");
    coordinator.kill("SIGKILL");
    await killed;

    expect(await thinktree(command)).toMatchObject({ code: 0, stderr: "" });
    // Which units share a batch is another matter of chance, and so are the last bits of a logit: most is the same.
    const [local, spread] = ["local", "spread"].map((name) => records(file(`${name}.jsonl`)));
    expect(new Set(spread!.keys())).toEqual(new Set(local!.keys()));
    expect(lines(file("spread.jsonl"))).toBe(local!.size + 1);
    const same = [...local!].filter(([key, value]) => value === spread!.get(key)).length;
    expect(same).toBeGreaterThan(0.5 * local!.size);
    const policies = ["local", "spread"].map((name) => JSON.parse(text(file(`${name}.json`))) as CalibratedPolicy);
    const [alone, together] = policies as [CalibratedPolicy, CalibratedPolicy];
    const { oraclePass1, spearman } = together.calibration;
    expect(together).toMatchObject({
      models: alone.models,
      calibration: { ...alone.calibration, oraclePass1, spearman },
    });
    expect(Math.abs(oraclePass1 - alone.calibration.oraclePass1)).toBeLessThan(0.15);

    const evaluate = ["evaluate", ...questions, ...modelFlags, "--limit", "12", "--strategy", "beam", "--n", "8"];
    const { code, stdout } = await thinktree([...evaluate, "--json", "--journal", file("beam.jsonl"), ...byWorkers()]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ questions: 12, method: "beam, n 8" });
    // The journal is this process's own, and it finds nothing left to do.
    const again = await thinktree([...evaluate, "--json", "--journal", file("beam.jsonl")]);
    expect(again).toEqual({ code, stdout, stderr: "" });

    const solution = { problem: easy, steps: ["4*6=24", "24-5=19", "A: 19"], label: -1 };
    writeFileSync(file("solutions.json"), JSON.stringify([solution]));
    const verifier = ["evaluate", ...modelFlags, "--processbench", file("solutions.json"), "--json", "--out"];
    const scores = async (out: string, ...flags: string[]) => {
      await thinktree([...verifier, file(out), "--journal", file(`${out}l`), ...flags]);
      return (JSON.parse(text(file(out))) as { records: { scores: number[] }[] }).records[0]!.scores;
    };
    const own = await scores("here.json");
    expect(own).toHaveLength(3);
    for (const [i, score] of (await scores("there.json", ...byWorkers())).entries()) {
      expect(score).toBeCloseTo(own[i]!, 3);
    }

    kept.child.kill("SIGTERM");
    expect(await kept.end).toEqual({
      ...{ code: 0, stderr: "" },
      stdout: expect.stringMatching(
        /^thinktree: kept is listening\nthinktree: kept has ended; units done: \d+\n$/,
      ) as string,
    });
  });

  it("refuses a run of other models", async () => {
    const { end } = await startWorker("other", ["--no-verifier"]);
    const flags = ["--limit", "2", "--strategy", "beam", "--journal", file("refused.jsonl"), ...byWorkers()];
    const coordinator = start(["evaluate", ...questions, ...modelFlags, ...flags]);
    endings.push(() => coordinator.kill("SIGKILL"));
    const { code, stderr } = await end;
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(
        /^thinktree: the queue's run wants another verifier, verifier's recipe: start the worker .*\n$/,
      ) as string,
    });
  });

  it("says in one line that there is no Redis", async () => {
    const { code, stdout, stderr } = await thinktree(["worker", "--redis", "redis://127.0.0.1:1", ...modelFlags]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^thinktree: cannot use Redis at 127\.0\.0\.1:1: [^\n]*ECONNREFUSED[^\n]*\n$/);
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { checkPolicy } from "../../lib/scheduler/policy.js";

const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

let folder = "";
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "calibrate-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Calibrates on the fake backend as the command does, with decodes that take a while, and writes the policy. */
const program = (journal: string, out: string) => `
  import { writeFileSync } from "node:fs";
  import { Engine } from ${dist("index.js")};
  import { calibrate } from ${dist("training/calibrate.js")};
  const fake = { decodeMicroseconds: 300 };
  const engine = await Engine.load({ generator: { fake }, verifier: { fake } });
  const questions = Array.from({ length: 12 }, (_, i) => ({
    id: String(i), question: i + "+2?", answer: String(i % 3), other: {},
  }));
  const policy = await calibrate(engine, questions, {
    journal: ${JSON.stringify(journal)}, budgets: [1, 4, 16], bins: 3, probes: 4, tolerance: 0.01, seed: 7,
    grader: { grade: async (answer, reference) => answer === reference },
  });
  writeFileSync(${JSON.stringify(out)}, JSON.stringify(policy));
  await engine.close();
`;

const start = (journal: string, out: string) =>
  spawn(process.execPath, ["--input-type=module", "-e", program(journal, out)], {
    stdio: ["ignore", "ignore", "inherit"],
  });

test("killed at 50 random moments, it ends with the policy of an unbroken run", { timeout: 240_000 }, async () => {
  const [whole, broken] = [join(folder, "whole.json"), join(folder, "broken.json")];
  const begun = performance.now();
  expect(await once(start(join(folder, "whole.jsonl"), whole), "exit")).toEqual([0, null]);
  const took = performance.now() - begun;

  const journal = join(folder, "broken.jsonl");
  let kills = 0;
  for (let ended = false; !ended;) {
    const child = start(journal, broken);
    const exit = once(child, "exit");
    if (kills < 50) {
      // Anywhere from before the engine is loaded to well into the work that is left.
      await Promise.race([exit, after(Math.random() * took * 0.7)]);
      child.kill("SIGKILL");
    }
    const [code, signal] = (await exit) as [number | null, string | null];
    if (signal === "SIGKILL") kills++;
    else expect(code).toBe(0);
    ended = code === 0;
    // Done before the fiftieth kill: what is paid for is thrown away but for a few lines, and a cut one.
    if (ended && kills < 50) {
      const text = await readFile(journal, "utf8");
      await writeFile(journal, text.slice(0, Math.floor(Math.random() * text.length * 0.5)));
      ended = false;
    }
  }
  expect(kills).toBe(50);
  const policy: unknown = JSON.parse(await readFile(broken, "utf8"));
  expect(policy).toEqual(JSON.parse(await readFile(whole, "utf8")));
  expect(checkPolicy(policy).overall.entries.map(({ budget }) => budget)).toEqual([1, 4, 16]);
});

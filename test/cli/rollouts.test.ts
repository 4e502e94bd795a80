/** `thinktree rollouts` from outside, on the embedded models; its page from made-up figures. */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import picocolors from "picocolors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { rolloutsView } from "../../lib/cli/rollouts-view.js";
import type { StepLabels } from "../../lib/training/label-steps.js";
import { RedisServer, unlessRedis } from "../support/redis.js";
import { ended, modelFlags, models, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-rollouts-"));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
const linesIn = (path: string) => text(path).trimEnd().split("\n");
const records = (path: string) => linesIn(path).map((line) => JSON.parse(line) as StepLabels);

describe.skipIf(unlessModels.skip)("thinktree rollouts (needs models/)", () => {
  const generator = ["--generator", models?.generator ?? ""];
  const questions = ["--questions", models?.heldOut ?? ""];
  const few = ["--limit", "8", "--solutions", "4", "--rollouts", "3"];
  const command = (out: string, ...flags: string[]) => {
    return ["rollouts", ...questions, ...generator, ...few, "--out", file(out), ...flags];
  };
  let page = "";
  beforeAll(async () => {
    const { code, stdout, stderr } = await thinktree(command("labels.jsonl"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    page = stdout;
  });

  it("writes labelled solutions of every question, and says how many and at what cost", () => {
    const labelled = records(file("labels.jsonl"));
    const asked = linesIn(models!.heldOut).slice(0, 8);
    const ids = asked.map((line) => (JSON.parse(line) as { id: string }).id);
    expect([...new Set(labelled.map(({ id }) => id))]).toEqual(ids);
    expect(labelled.reduce((sum, { drawn }) => sum + drawn, 0)).toBeLessThanOrEqual(32);
    for (const { labels, values, right, rollouts, correct } of labelled) {
      expect(labels).toEqual(right.map((count) => count > 0));
      expect(values).toEqual(right.map((count, i) => count / rollouts[i]!));
      expect(correct).toBe(labels.at(-1));
    }
    expect(page).toContain(file("labels.jsonl"));
    expect(page).toContain(`${labelled.length} different ones`);
    expect(page).toMatch(/ \d+ prompt \+ [\d,]+ generated tokens/);
    expect(existsSync(`${file("labels.jsonl")}.journal.jsonl`)).toBe(false);
  });

  it("writes what evaluate --processbench reads", async () => {
    const flags = ["--processbench", file("labels.jsonl"), "--journal", file("scores.jsonl"), "--json"];
    const { code, stdout, stderr } = await thinktree(["evaluate", ...modelFlags, ...flags]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const labelled = records(file("labels.jsonl"));
    const { files } = JSON.parse(stdout) as { files: object[] };
    const erroneous = labelled.filter(({ labels }) => labels.includes(false)).length;
    expect(erroneous).toBeGreaterThan(0);
    expect(files).toMatchObject([{ solutions: labelled.length, erroneous, unscored: 0 }]);
  });

  it("after Ctrl-C says what is kept and how to go on, and goes on", async () => {
    const journal = file("broken.journal");
    const broken = command("broken.jsonl", "--journal", journal, "--limit", "30", "--rollouts", "16");
    const child = start(broken);
    const end = ended(child);
    while (linesIn(journal).length < 4 && child.exitCode === null) await setTimeout(5);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await end;
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    const [, done] = /^thinktree: stopped; (\d+) of 30 questions are done and kept in .*broken\.journal: the same/.exec(
      stderr,
    )!;
    const kept = text(journal);
    expect(linesIn(journal)).toHaveLength(Number(done) + 1);
    expect(existsSync(file("broken.jsonl"))).toBe(false);

    expect(await thinktree(broken)).toMatchObject({ code: 0, stderr: "" });
    expect(new Set(records(file("broken.jsonl")).map(({ id }) => id)).size).toBe(30);
    expect(text(journal).startsWith(kept)).toBe(true);
  });

  it.skipIf(unlessRedis.skip)(`has the questions done by workers${unlessRedis.reason}`, async () => {
    await using redis = await RedisServer.start();
    const workers = ["left", "right"].map((name) =>
      start(["worker", "--redis", redis.url, ...modelFlags, "--name", name]),
    );
    const ends = workers.map(ended);
    await Promise.all(workers.map(({ stdout }) => once(stdout, "data"))); // that they are listening
    const { code, stderr } = await thinktree(command("spread.jsonl", "--redis", redis.url));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    // Which questions share a batch is another matter of chance, and so are the last bits of a logit: most is the same.
    const [local, spread] = [linesIn(file("labels.jsonl")), new Set(linesIn(file("spread.jsonl")))];
    expect(local.filter((line) => spread.has(line)).length).toBeGreaterThan(0.5 * local.length);
    for (const worker of workers) worker.kill("SIGTERM");
    const done = (await Promise.all(ends)).map(({ stdout }) => Number(/units done: (\d+)/.exec(stdout)?.[1]));
    expect(done[0]! + done[1]!).toBe(8);
  });

  it.each([
    [["--rollouts", "0"], /whole number from 1/],
    [["--solutions", "many"], /whole number from 1/],
    [["--questions", "/nowhere.jsonl"], /nowhere\.jsonl/],
    [["--out", "/nowhere/labels.jsonl"], /cannot write \/nowhere\/labels\.jsonl/],
    [["--verifier", "prm.gguf"], /unknown option '--verifier'/],
    [["--grader", "guess"], /numeric:SHARE or one of/],
  ])("refuses %j with one line", async (flags, message) => {
    const { code, stdout, stderr } = await thinktree(command("refused.jsonl", ...flags));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(file("refused.jsonl"))).toBe(false);
  });
});

describe("rolloutsView", () => {
  const paper = { columns: 80, colors: picocolors.createColors(false) };
  const cost = { promptTokens: 40, generatedTokens: 1_900, coalescedTokens: 100 };

  it("counts samples, solutions and steps", () => {
    const right = { steps: ["a", "b", "c"], answer: "1", drawn: 3, right: [4, 2, 1] };
    const wrong = { steps: ["a", "d"], answer: "2", drawn: 2, right: [0, 0] };
    const labelled = [{ solutions: [right, wrong], rollouts: 12, cost }];
    expect(rolloutsView(labelled, { solutions: 6, rollouts: 4 }, "labels.jsonl", paper)).toEqual([
      "",
      "  Step labels  labels.jsonl",
      "  1 question",
      "",
      "  sampled    5 solutions with an answer, of 6",
      "  labelled   2 different ones, 50.0% of them right",
      "  steps      3 before the last; 66.7% can still end right, 50.0% of their rollouts do",
      "  rollouts   12",
      "  generator  40 prompt + 1,900 generated tokens (100 shared)",
      "",
    ]);
  });

  it("has no shares of nothing", () => {
    const none = { promptTokens: 0, generatedTokens: 0, coalescedTokens: 0 };
    const lines = rolloutsView([{ solutions: [], rollouts: 0, cost: none }], { solutions: 6, rollouts: 4 }, "x", paper);
    expect(lines.join("\n")).not.toMatch(/NaN|%/);
  });
});

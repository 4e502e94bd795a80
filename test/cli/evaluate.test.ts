/** `thinktree evaluate` from outside, on real models; its page and its progress line from made-up figures. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import picocolors from "picocolors";
import { afterAll, describe, expect, it } from "vitest";
import { evaluateView } from "../../lib/cli/evaluate-view.js";
import { progressLine } from "../../lib/cli/progress-view.js";
import type { Evaluation } from "../../lib/evaluation/evaluate.js";
import { ended, modelFlags, models, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-evaluate-"));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Figures = Omit<Evaluation, "records"> & { method: string; seed: number; journal: string };

const asked = ["evaluate", "--questions", models?.heldOut ?? "", ...modelFlags];

async function figures(...flags: string[]): Promise<Figures> {
  const { code, stdout, stderr } = await thinktree([...asked, "--json", ...flags]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Figures;
}

describe.skipIf(unlessModels.skip)("thinktree evaluate (needs models/)", () => {
  const sampled = ["--limit", "12", "--strategy", "weighted-best-of-n", "--n", "4", "--journal", file("sampled")];

  it("tells accuracy, cost and the curve as one JSON object, and everything in --out", async () => {
    const found = await figures(...sampled, "--out", file("out.json"));
    expect(found).toMatchObject({
      method: "weighted-best-of-n, n 4",
      seed: 1,
      questions: 12,
      journal: file("sampled"),
    });
    const { accuracy, cost, curve } = found;
    expect(accuracy.low).toBeLessThanOrEqual(accuracy.mean);
    expect(accuracy.mean).toBeGreaterThan(0.2);
    expect(cost.generations).toBe(4);
    for (const count of Object.values(cost)) expect(count).toBeGreaterThan(0);
    expect(curve.map(({ choice, k }) => `${choice} ${k}`)).toEqual(
      ["majority", "best-of-n", "weighted-best-of-n", "pass"].flatMap((choice) =>
        [1, 2, 4].map((k) => `${choice} ${k}`),
      ),
    );
    const { records, ...rest } = JSON.parse(readFileSync(file("out.json"), "utf8")) as Evaluation;
    expect(rest).toEqual(found);
    expect(records).toHaveLength(12);
    expect(records[0]).toMatchObject({ id: "h0000", reference: "76" });
    // What the last point of its own curve says is what was answered, but for ties.
    const own = curve.find(({ choice, k }) => choice === "weighted-best-of-n" && k === 4)!;
    expect(Math.abs(own.accuracy.mean - accuracy.mean)).toBeLessThan(0.2);
    expect(existsSync(file("out.json.part"))).toBe(false);
  });

  it("does nothing twice: the same command prints the same at once", async () => {
    const before = readFileSync(file("sampled"));
    const { code, stdout } = await thinktree([...asked, ...sampled]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}Right {2}\d+\.\d% \[\d+\.\d, \d+\.\d\] of 12 questions, by weighted-best-of-n, n 4$/m);
    expect(readFileSync(file("sampled"))).toEqual(before);
  });

  it("grades as it is told", async () => {
    const flags = ["--limit", "12", "--strategy", "majority", "--n", "1"];
    const right = async (grader: string) =>
      (await figures(...flags, "--grader", grader, "--journal", file(grader))).accuracy.mean;
    const usual = await right("math");
    expect(usual).toBeLessThan(1);
    expect(await right("prm800k")).toBe(usual); // whole numbers are the same to both
    expect(await right("numeric:1e300")).toBe(1);
  });

  it("lets the policy decide where no strategy is named", async () => {
    const found = await figures("--limit", "4", "--n", "4", "--journal", file("policy"));
    expect(found).toMatchObject({ method: "policy, 4 generations", questions: 4, curve: [] });
    expect(found.cost.generations).toBeLessThanOrEqual(4);
  });

  it("after Ctrl-C says how to go on, and goes on", async () => {
    const flags = ["--limit", "24", "--strategy", "majority", "--n", "16", "--journal", file("broken")];
    const child = start([...asked, ...flags]);
    const end = ended(child);
    const lines = () => (existsSync(file("broken")) ? readFileSync(file("broken"), "utf8").split("\n").length : 0);
    while (lines() < 4) await setTimeout(20);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await end;
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    const [, done] = /^thinktree: stopped; (\d+) of 24 questions are done and kept in .*broken: the same/.exec(stderr)!;
    const kept = readFileSync(file("broken"), "utf8");
    expect(kept.trimEnd().split("\n")).toHaveLength(Number(done) + 1);
    expect(await figures(...flags)).toMatchObject({ questions: 24 });
    expect(readFileSync(file("broken"), "utf8").startsWith(kept)).toBe(true);
  });

  it("after a kill in mid-write keeps every whole record, and asks the rest", async () => {
    const flags = ["--limit", "8", "--strategy", "beam", "--n", "4"];
    await figures(...flags, "--journal", file("unbroken"));
    const journal = readFileSync(file("unbroken"), "utf8");
    const cut = journal.slice(0, Math.floor(journal.length * 0.6));
    writeFileSync(file("killed"), cut);
    expect(await figures(...flags, "--journal", file("killed"))).toMatchObject({ questions: 8 });
    const resumed = readFileSync(file("killed"), "utf8");
    expect(resumed.startsWith(cut.slice(0, cut.lastIndexOf("\n") + 1))).toBe(true);
    // Floats depend on what shares a batch, so texts may differ; the questions may not.
    const keys = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => (JSON.parse(line) as { key: string }).key);
    expect(keys(resumed).sort()).toEqual(keys(journal).sort());
  });
});

describe("mistakes", () => {
  it.concurrent.each<[string, string[], RegExp]>([
    ["no questions", [], /name --questions FILE, or --processbench FILE for a verifier/],
    ["a file that is not there", ["--questions", "/nowhere"], /cannot read \/nowhere/],
    ["a bad line", ["--questions", fileOf("bad", '{"question":"a","answer":1}\nwhat?\n')], /bad:2 is not JSON/],
    ["an unknown grader", ["--questions", "/nowhere", "--grader", "kind"], /Use numeric:SHARE or one of math, prm800k/],
    ["a tolerance that is none", ["--questions", "/nowhere", "--grader", "numeric:much"], /Use numeric:SHARE/],
    [
      "programs in a language that nobody tells",
      ["--questions", fileOf("programs", '{"id":"p1","question":"a","tests":"check(f)"}\n')],
      /question p1 has tests of a program: say --grader python or --grader javascript/,
    ],
    [
      "a strategy without verifier",
      ["--questions", "/nowhere", "--strategy", "beam", "--no-verifier"],
      /beam needs a verifier/,
    ],
    [
      "a setting the strategy lacks",
      ["--questions", "/nowhere", "--strategy", "dvts", "--length", "2"],
      /dvts has no length/,
    ],
  ])("%s", async (_, flags, message) => {
    const { code, stdout, stderr } = await thinktree(["evaluate", ...flags]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^thinktree: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it.skipIf(unlessModels.skip)("references that the grader cannot use", async () => {
    const flags = ["--limit", "1", "--strategy", "majority", "--n", "1", "--journal", file("unfit")];
    const { code, stderr } = await thinktree([...asked, ...flags, "--grader", "javascript"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/these are no tests of a program: 76/);
  });

  it.skipIf(unlessModels.skip)("another run's journal", async () => {
    const flags = ["--limit", "1", "--strategy", "majority", "--n", "1", "--journal", file("other")];
    await figures(...flags);
    const { code, stderr } = await thinktree([...asked, ...flags, "--seed", "2"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/belongs to another run \(other seed\): name another file, or delete it/);
  });

  it("helps within 80 columns", async () => {
    const { code, stdout } = await thinktree(["evaluate", "--help"]);
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain("\\boxed{42}");
  });
});

describe("the page", () => {
  const paper = { columns: 80, colors: picocolors.createColors(false) };
  const cost = {
    ...{
      generations: 2,
      promptTokens: 81,
      generatedTokens: 1264.4,
      coalescedTokens: 0,
      verifierPromptTokens: 81,
      verifierTokens: 1128,
    },
    ...{ flops: 5217618432, milliseconds: 1231 },
  };
  const accuracy = { mean: 0.635, low: 0.565, high: 0.7 };

  it("shows accuracy, cost and the curve", () => {
    const curve = (["majority", "weighted-best-of-n", "pass"] as const).flatMap((choice) =>
      [1, 2].map((k) => ({ choice, k, accuracy: { mean: k / 2, low: 0.25, high: 1 }, cost })),
    );
    const lines = evaluateView("beam, n 2", { questions: 1200, accuracy, cost, curve }, paper);
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "
        Right  63.5% [56.5, 70.0] of 1,200 questions, by beam, n 2

        a question 2 generations
        generator  81 prompt + 1,264 generated tokens
        verifier   81 prompt + 1,128 scored tokens
        cost       5.22 GFLOP, 1.23 s (with others under way)

            n          majority          weighted               any
            1    50.0 [25, 100]    50.0 [25, 100]    50.0 [25, 100]
            2   100.0 [25, 100]   100.0 [25, 100]   100.0 [25, 100]"
    `);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("has no curve and no verifier where there is none", () => {
    const unverified = { ...cost, verifierTokens: 0 };
    const page = evaluateView("m", { questions: 3, accuracy, cost: unverified, curve: [] }, paper).join("\n");
    expect(page).not.toMatch(/verifier|majority/);
  });
});

describe("progressLine", () => {
  const paper = { columns: 80, colors: picocolors.createColors(false) };
  const moment = { frame: 0, label: "beam, n 16", elapsedMs: 3_000 };

  it("tells how many are done, how it goes, and the time left", () => {
    const parts = { done: 50, total: 1200, remainingMs: 69_000, note: "63.5% right" };
    expect(progressLine({ ...moment, parts }, paper)).toBe(
      "  ⠋ beam, n 16 ░░░░░░░░ 50 of 1,200 · 63.5% right · 1 min 9 s left · 3.00 s",
    );
  });

  it("promises nothing it does not know", () => {
    const parts = { done: 0, total: 12, remainingMs: null, note: "" };
    expect(progressLine({ ...moment, parts }, paper)).toBe("  ⠋ beam, n 16 ░░░░░░░░ 0 of 12 · 3.00 s");
  });
});

function fileOf(name: string, text: string): string {
  writeFileSync(file(name), text);
  return file(name);
}

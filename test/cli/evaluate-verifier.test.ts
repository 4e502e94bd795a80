/** `thinktree evaluate --processbench` from outside, on the embedded models; its page from made-up figures. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import picocolors from "picocolors";
import { afterAll, describe, expect, it } from "vitest";
import { evaluateVerifierView, type VerifierFigures } from "../../lib/cli/evaluate-verifier-view.js";
import { predictedError } from "../../lib/evaluation/process-bench.js";
import { ended, modelFlags, models, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-verifier-"));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, records: readonly object[]): string {
  writeFileSync(file(name), JSON.stringify(records));
  return file(name);
}

const problem = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";
const right = { problem, steps: ["4*6=24", "24-5=19", "A: 19"], label: -1 };
const wrong = { problem, steps: ["4*6=24", "24-5=17", "A: 17"], label: 1 };
const worse = { problem, steps: ["4+6=10", "10-5=5", "A: 5"], label: 0 };
const easy = fileOf("easy.json", [right, wrong, worse, { ...right, steps: ["4*6=24", "24-5=19", "A: 19"] }]);
const long = fileOf("long.json", [wrong, { ...right, steps: Array<string>(2_000).fill("4*6=24") }]);

interface Records {
  readonly records: { file: string; firstError: number | null; predicted: number | null; scores: number[] | null }[];
}

async function figures(...flags: string[]): Promise<VerifierFigures & { journal: string }> {
  const { code, stdout, stderr } = await thinktree(["evaluate", ...modelFlags, "--json", ...flags]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as VerifierFigures & { journal: string };
}

describe.skipIf(unlessModels.skip)("thinktree evaluate --processbench (needs models/)", () => {
  const journal = ["--journal", file("journal")];

  it("compares an implicit PRM with its reference", async () => {
    const recipe = { name: "ratio", prompt: "Q: {question}", next: "\n{step}", read: { ratio: { beta: 1 } } };
    writeFileSync(file("ratio.json"), JSON.stringify({ ...recipe, aggregation: "min" }));
    const flags = ["--processbench", easy, "--verifier-recipe", file("ratio.json"), "--journal", file("ratios")];
    const found = await figures(...flags, "--verifier-reference", models!.generator);
    expect(found.files).toMatchObject([{ solutions: 4, unscored: 0 }]);
    const { code, stderr } = await thinktree(["evaluate", ...modelFlags, ...flags]);
    expect(code).toBe(2);
    expect(stderr).toContain("--verifier-reference FILE");
  });

  it("tells accuracies and F1 of every file, and everything in --out", async () => {
    const flags = ["--processbench", easy, long, "--threshold", "0.2", ...journal, "--out", file("out.json")];
    const found = await figures(...flags);
    expect(found).toMatchObject({ verifier: basename(models!.verifier), threshold: 0.2, tunedOn: null });
    expect(found.files).toMatchObject([
      { file: easy, solutions: 4, erroneous: 2, unscored: 0 },
      { file: long, solutions: 2, erroneous: 1, unscored: 1, correctAccuracy: { mean: 0, low: 0, high: 0 } },
    ]);
    const { records, ...rest } = JSON.parse(readFileSync(file("out.json"), "utf8")) as typeof found & Records;
    expect(rest).toEqual(found);
    expect(records).toHaveLength(6);
    expect(records[5]).toMatchObject({ file: long, firstError: null, predicted: null, scores: null });
    for (const { scores, predicted } of records.slice(0, 5)) {
      expect(scores).toHaveLength(3);
      for (const score of scores!) expect(score >= 0 && score <= 1).toBe(true);
      expect(predicted).toBe(predictedError(scores!, 0.2));
    }
    // The embedded verifier has learned this: a wrong result is less likely than the right one.
    expect(records[1]!.scores![1]!).toBeLessThan(records[0]!.scores![1]!);
    const hits = records.slice(0, 4).map(({ firstError, predicted }) => Number(firstError === predicted));
    expect(found.files[0]!.correctAccuracy.mean).toBe((hits[0]! + hits[3]!) / 2);
    expect(found.files[0]!.errorAccuracy.mean).toBe((hits[1]! + hits[2]!) / 2);
  });

  it("goes on from the scores with a threshold that is tuned on one file, and scores nothing twice", async () => {
    const before = readFileSync(file("journal"));
    const tuned = await figures("--processbench", easy, "--tune-threshold", easy, ...journal);
    expect(tuned.tunedOn).toBe(easy);
    const usual = await figures("--processbench", easy, ...journal);
    expect(usual.threshold).toBe(0.5);
    expect(tuned.files[0]!.f1.mean).toBeGreaterThanOrEqual(usual.files[0]!.f1.mean);
    expect(readFileSync(file("journal"))).toEqual(before);
  });

  it("prints a page", async () => {
    const { code, stdout } = await thinktree(["evaluate", ...modelFlags, "--processbench", easy, long, ...journal]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}F1 {2}\d+\.\d \[\d+, \d+\] {2}tiny-strong\.gguf/m);
    expect(stdout).toMatch(/^ {2}1 solution does not fit the verifier's context and counts as missed\.$/m);
  });

  it("after Ctrl-C says how to go on, and goes on", async () => {
    const many = Array.from({ length: 600 }, (_, i) => ({ ...wrong, steps: [`4*${i}=24`, "24-5=17", "A: 17"] }));
    const flags = ["--processbench", fileOf("many.json", many), "--journal", file("broken")];
    const child = start(["evaluate", ...modelFlags, ...flags]);
    const end = ended(child);
    const lines = () => (existsSync(file("broken")) ? readFileSync(file("broken"), "utf8").split("\n").length : 0);
    while (lines() < 4) await setTimeout(5);
    child.kill("SIGINT");
    const { code, stderr } = await end;
    expect(code).toBe(130);
    const [, done] = /^thinktree: stopped; (\d+) of 600 solutions are scored and kept in .*broken: the/.exec(stderr)!;
    const kept = readFileSync(file("broken"), "utf8");
    expect(kept.trimEnd().split("\n")).toHaveLength(Number(done) + 1);
    expect((await figures(...flags)).files[0]!.solutions).toBe(600);
    expect(readFileSync(file("broken"), "utf8").startsWith(kept)).toBe(true);
  });

  it("needs no generator: the verifier's own file makes room for the steps", async () => {
    const { code, stdout } = await thinktree([
      ...["evaluate", "--verifier", models!.verifier, "--json", "--processbench", easy, "--journal", file("alone")],
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ files: [{ solutions: 4, unscored: 0 }] });
  });
});

describe("mistakes", () => {
  it.concurrent.each<[string, string[], RegExp]>([
    [
      "both kinds of files",
      ["--questions", "q", "--processbench", easy],
      /'--processbench.*cannot be used with.*--questions/,
    ],
    ["a strategy", ["--processbench", easy, "--strategy", "beam"], /'--processbench.*cannot be used with.*--strategy/],
    ["a seed", ["--processbench", easy, "--seed", "2"], /'--processbench.*cannot be used with.*--seed/],
    ["two thresholds", ["--processbench", easy, "--threshold", "0.1", "--tune-threshold", easy], /cannot be used with/],
    [
      "a threshold for questions",
      ["--questions", "q", "--threshold", "0.1"],
      /'--threshold.*cannot be used with.*--quest/,
    ],
    ["a threshold that is none", ["--processbench", easy, "--threshold", "2"], /Use a number from 0 to 1/],
    ["no verifier", ["--processbench", easy, "--no-verifier"], /name one with --verifier FILE\.gguf/],
    ["a generator alone", ["--processbench", easy, "--generator", "g.gguf"], /name one with --verifier FILE\.gguf/],
    ["a file that is not there", ["--processbench", "/nowhere"], /cannot read \/nowhere/],
    [
      "questions",
      ["--processbench", fileOf("q.json", [{ question: "a", answer: 1 }])],
      /record 1 is not a solution with/,
    ],
  ])("%s", async (_, flags, message) => {
    const { code, stdout, stderr } = await thinktree(["evaluate", ...flags]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^thinktree: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it.skipIf(unlessModels.skip)("a threshold tuned on solutions of one kind", async () => {
    const flags = ["--processbench", easy, "--tune-threshold", fileOf("right.json", [right])];
    const { code, stderr } = await thinktree(["evaluate", ...modelFlags, ...flags, "--journal", file("one-kind")]);
    expect({ code, paid: existsSync(file("one-kind")) }).toEqual({ code: 2, paid: false });
    expect(stderr).toMatch(/a threshold is tuned on solutions with wrong steps and on ones without/);
  });
});

describe("the page", () => {
  const estimate = (mean: number) => ({ mean, low: mean - 0.05, high: mean + 0.05 });
  const none = { mean: NaN, low: NaN, high: NaN };
  const counts = { solutions: 1000, erroneous: 594, unscored: 0 };
  const made: VerifierFigures = {
    ...{ verifier: "prm.gguf", recipe: "math-shepherd", threshold: 0.25, tunedOn: "/data/gsm8k.json.gz" },
    files: [
      {
        file: "/data/gsm8k.json.gz",
        ...counts,
        errorAccuracy: estimate(0.324),
        correctAccuracy: estimate(0.917),
        f1: estimate(0.479),
      },
      {
        file: "a-name-that-is-rather-long.parquet",
        ...counts,
        errorAccuracy: none,
        correctAccuracy: { mean: 1, low: 1, high: 1 },
        f1: none,
      },
    ],
    averageF1: none,
  };

  it("shows both accuracies and F1 within 80 columns", () => {
    const lines = evaluateVerifierView(made, { columns: 80, colors: picocolors.createColors(false) });
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "
        F1  -  prm.gguf (math-shepherd)
        A step is taken to be wrong below 0.250, of best F1 on gsm8k.json.gz.

                                       errors found   correct passed               F1
        gsm8k                1,000    32.4 [27, 37]    91.7 [87, 97]    47.9 [43, 53]
        a-name-that-is-rat…  1,000                - 100.0 [100, 100]                -"
    `);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

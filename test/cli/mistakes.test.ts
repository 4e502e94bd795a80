/** Whatever the caller gets wrong: one line on stderr, exit code 2, nothing on stdout, no stack trace. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { easy, modelFlags, models, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-cli-"));
const noise = join(folder, "noise.gguf");
const cut = join(folder, "cut.gguf");

beforeAll(() => {
  writeFileSync(noise, "this is no model");
  if (models) writeFileSync(cut, readFileSync(models.generator).subarray(0, 500_000));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function expectMistake(args: readonly string[], message: RegExp, input = "") {
  const { code, stdout, stderr } = await thinktree(args, { input });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^thinktree: [^\n]+\n$/);
  expect(stderr).toMatch(message);
}

describe("mistakes that need no model to be seen", () => {
  it.concurrent.each<[string, string[], RegExp]>([
    ["no question", ["solve"], /missing required argument 'question'/],
    ["a question without quotes", ["solve", "what", "is", "this"], /Put the question in quotes/],
    ["an empty question", ["solve", " \n "], /the question is empty/],
    ["an empty standard input", ["solve", "-"], /the question is empty/],
    ["an unknown command", ["slove", "x"], /unknown command 'slove' \(Did you mean solve\?\)/],
    [
      "an unknown flag",
      ["solve", "x", "--strateg", "beam"],
      /unknown option '--strateg' \(Did you mean --strategy\?\)/,
    ],
    ["an unknown strategy", ["solve", "x", "--strategy", "tree"], /Allowed choices are majority, best-of-n/],
    ["an unknown aggregation", ["solve", "x", "--aggregation", "max"], /Allowed choices are last, min, product, mean/],
    ["n = 0", ["solve", "x", "--n", "0"], /Use a whole number from 1 to 65536/],
    ["n = 2.5", ["solve", "x", "--n", "2.5"], /Use a whole number/],
    [
      "n no multiple of the beam width",
      ["solve", "x", "--strategy", "beam", "--n", "6"],
      /multiple of --beam-width.* use n = 4 or 8/,
    ],
    ["a setting the strategy lacks", ["solve", "x", "--strategy", "beam", "--lookahead", "2"], /beam has no lookahead/],
    [
      "a strategy's setting without one",
      ["solve", "x", "--beam-width", "2"],
      /policy chooses --beam-width: .*--strategy/,
    ],
    ["votes for what is no judge", ["solve", "x", "--verifier-votes", "3"], /votes are a judge's.* likelihood is none/],
    ["working ahead without a beam", ["solve", "x", "--strategy", "lookahead", "--work-ahead"], /has no --work-ahead/],
    ["a temperature below 0", ["solve", "x", "--temperature", "-1"], /Use a number from 0 to 100/],
    ["a share above 1", ["solve", "x", "--top-p", "1.5"], /Use a number above 0, up to 1/],
    ["a huge seed", ["solve", "x", "--seed", "99999999999999999999"], /Use a whole number from 0 to 9007199254740991/],
    ["a time that is none", ["solve", "x", "--time", "soon"], /Use a span of time: 500ms, 2s or 1m/],
    ["beam without a verifier", ["solve", "x", "--strategy", "beam", "--no-verifier"], /beam needs a verifier/],
    [
      "a generator's own, unnamed",
      ["solve", "x", "--strategy", "dvts", "--generator", "g.gguf"],
      /--verifier FILE\.gguf/,
    ],
    ["an adapter on no draft", ["solve", "x", "--draft-lora", "l.gguf"], /--draft-lora is for a draft: .*--draft FILE/],
    [
      "an adapter on no verifier",
      ["solve", "x", "--generator", "g.gguf", "--verifier-lora", "l.gguf"],
      /--verifier-lora is for a verifier: .* the generator's own file/,
    ],
    ["an adapter without a name", ["solve", "x", "--generator-lora", ":2"], /Name a file, and after a colon a scale/],
    ["a missing model", ["solve", "x", "--generator", "/nowhere/g.gguf"], /\/nowhere\/g\.gguf: no such file/],
    ["a file name that steers the terminal", ["solve", "x", "--generator", "\u001b[2Jx\ny"], /␛\[2Jx y: no such file/],
    ["a model that is none", ["solve", "x", "--generator", noise], /not a GGUF file/],
    ["a folder for a model", ["solve", "x", "--generator", folder], /cannot load the model/],
    ["no questions to demonstrate with", ["demo", "--questions", "/nowhere"], /cannot read the questions in \/nowhere/],
    ["questions that are none", ["demo", "--questions", noise], /noise\.gguf:1 is not a question/],
  ])("%s", (_, args, message) => expectMistake(args, message));
});

describe.skipIf(unlessModels.skip)("mistakes that a model shows (needs models/)", () => {
  it("a truncated model", () =>
    expectMistake(["solve", easy, "--generator", cut], /cannot load the model .*cut\.gguf/));
  it("a missing verifier", () =>
    expectMistake(["solve", easy, ...modelFlags.slice(0, 2), "--verifier", "/nowhere/v.gguf"], /no such file/));
  it("a missing adapter", () =>
    expectMistake(
      ["solve", easy, ...modelFlags, "--verifier-lora", "/nowhere/l.gguf:0.5"],
      /adapter \/nowhere\/l\.gguf: no such/,
    ));
  it("a scale that is too large", () =>
    expectMistake(["solve", easy, ...modelFlags, "--generator-lora", "l.gguf:101"], /generator.*adapters/));
  it("a missing draft model", () =>
    expectMistake(["solve", easy, ...modelFlags, "--draft", "/nowhere/d.gguf"], /no such file/));
  it("an over-long question", () =>
    expectMistake(["solve", "-", ...modelFlags, "--json"], /the context holds \d+/, "and then ".repeat(5_000)));
});

it("shows where an error comes from if asked", async () => {
  const { code, stderr } = await thinktree(["solve", ""], { env: { THINKTREE_DEBUG: "1" } });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^thinktree: the question is empty\n.*\n +at /);
});

it("helps, and tells its version", async () => {
  const [program, solve, demo, version, bare] = await Promise.all(
    [["--help"], ["solve", "--help"], ["demo", "-h"], ["--version"], []].map((args) => thinktree(args)),
  );
  for (const page of [program!, solve!, demo!, bare!]) {
    expect(page).toMatchObject({ code: 0, stderr: "" });
    expect(Math.max(...page.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  }
  expect(bare!.stdout).toBe(program!.stdout);
  expect(solve!.stdout).toContain("Exit codes:");
  expect(version!.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

/** `thinktree bench` from outside, on the embedded models and on one with random weights; no time is tested. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import picocolors from "picocolors";
import { afterAll, describe, expect, it } from "vitest";
import { randomModel } from "../../bench/gguf/random-model.js";
import { shapes } from "../../bench/gguf/shapes.js";
import type { Benchmark, Percentiles } from "../../lib/benchmark/results.js";
import { benchView } from "../../lib/cli/bench-view.js";
import { engineOptions } from "../../lib/cli/search-flags.js";
import { sample } from "../benchmark/sample.js";
import { parseGguf } from "../support/gguf-file.js";
import { randomLora, writeLora } from "../support/lora.js";
import { ended, modelFlags, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-bench-"));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(...flags: string[]): Promise<{ found: Benchmark; stdout: string }> {
  const { code, stdout, stderr } = await thinktree(["bench", ...flags, "--json", file("out.json")]);
  expect({ code, stderr: stderr.replace(/^thinktree: others use .*\n/, "") }).toEqual({ code: 0, stderr: "" });
  return { found: JSON.parse(readFileSync(file("out.json"), "utf8")) as Benchmark, stdout };
}

function expectConsistent({ results, settings: { lengthTokens, stepTokens, rounds } }: Benchmark) {
  const rising = ({ p50, p95, p99 }: Percentiles) =>
    expect([p50, p95, p99]).toEqual([p50, p95, p99].sort((a, b) => a - b));
  for (const result of results) {
    const { branches, tokens, tokensAsked, tokensPerSecond, hostMsPerDecode, decodeMs, verifyMs } = result;
    expect(tokensAsked).toBe(branches * lengthTokens * rounds);
    expect(tokens).toBeLessThanOrEqual(tokensAsked);
    expect(tokens).toBeGreaterThan(0.8 * tokensAsked);
    expect(result.rounds).toHaveLength(rounds);
    expect(result.rounds.reduce((sum, round) => sum + round.tokens, 0)).toBe(tokens);
    const stepMs = result.rounds.flatMap((round) => round.stepMs);
    expect(stepMs).toHaveLength((rounds * lengthTokens) / stepTokens);
    // Every token of all branches is one decode; fewer only where every branch has ended.
    expect(result.decodes).toBeLessThanOrEqual(rounds * lengthTokens);
    const all = stepMs.reduce((sum, ms) => sum + ms, 0);
    expect(hostMsPerDecode * result.decodes + decodeMs + verifyMs).toBeCloseTo(all, 6);
    rising(result.firstTokenMs);
    rising(result.stepMs);
    rising(result.tokenMs);
    expect(result.tokenMs.p50 * stepTokens).toBeCloseTo(result.stepMs.p50, 6);
    expect(tokensPerSecond.least).toBeLessThanOrEqual(tokensPerSecond.median);
    expect(tokensPerSecond.median).toBeLessThanOrEqual(tokensPerSecond.most);
    expect(result.recomputedTokens).toBe(0);
    expect(result.residentMib).toBeGreaterThan(10);
  }
}

describe.skipIf(unlessModels.skip)("thinktree bench (needs models/)", () => {
  const small = ["--branches", "4,1,4", "--prompt", "33", "--length", "8", "--step", "4", "--rounds", "2"];

  it("measures generator and verifier, and writes four files that hold the same", async () => {
    const flags = ["--csv", file("out.csv"), "--html", file("out.html"), "--plot", file("out.svg")];
    const { found, stdout } = await bench(...modelFlags, ...small, ...flags);
    expectConsistent(found);
    const settings = { branches: [1, 4], promptTokens: 33, lengthTokens: 8, stepTokens: 4, rounds: 2, kvCells: 16_384 };
    expect(found.settings).toEqual({ ...settings, kvType: "f16", threads: null, gpuLayers: null });
    expect(found.models.generator).toMatchObject({ file: "tiny-generator.gguf", parameters: 742_528, vocabulary: 416 });
    expect(found.models.verifier).toMatchObject({ file: "tiny-strong.gguf", parameters: 1_431_680 });
    for (const { branches, verifierShare, verifierTokens, kvCellsPeak, verifierKvCellsPeak } of found.results) {
      expect(verifierShare).toBeGreaterThan(0);
      expect(verifierShare).toBeLessThan(1);
      expect(verifierTokens).toBeGreaterThan(0);
      expect(kvCellsPeak).toBeGreaterThan(33);
      expect(kvCellsPeak).toBeLessThanOrEqual(33 + 8 * branches);
      expect(verifierKvCellsPeak).toBeGreaterThan(33);
    }
    expect(stdout).toMatch(/^ +branches +median +least-most( +p50 +p95 +p99){2}$/m);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(file("").length * 4 + 80);

    expect(readFileSync(file("out.csv"), "utf8").trimEnd().split("\r\n")).toHaveLength(3);
    expect(readFileSync(file("out.html"), "utf8")).toMatch(/^<!doctype html>/);
    expect(readFileSync(file("out.svg"), "utf8")).toMatch(/^<svg xmlns=/);
    const outputs = readdirSync(folder).filter((name) => name !== "models");
    expect(outputs.sort()).toEqual(["out.csv", "out.html", "out.json", "out.svg"]);
    for (const name of outputs) {
      const text = readFileSync(file(name), "utf8");
      for (const secret of [hostname(), homedir(), folder, "/models/"]) expect(text).not.toContain(secret);
    }
  });

  it("measures the generator alone, of any name for it", async () => {
    const model = ["--model", modelFlags[1]!];
    const { found, stdout } = await bench(
      ...model,
      ...small,
      "--threads",
      "1",
      "--gpu-layers",
      "0",
      "--kv-cells",
      "256",
    );
    expectConsistent(found);
    expect(found.models.verifier).toBeNull();
    expect(found.settings).toMatchObject({ threads: 1, gpuLayers: 0, kvCells: 256 });
    for (const { verifierShare, verifyMs } of found.results)
      expect({ verifierShare, verifyMs }).toEqual({ verifierShare: null, verifyMs: 0 });
    expect(stdout).not.toContain("verifier's");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it with exit code %i, and nothing is written", async (signal, code) => {
    mkdirSync(file(signal));
    const outputs = ["json", "csv", "html"].flatMap((kind) => [`--${kind}`, join(file(signal), kind)]);
    // A signal that comes before it measures ends the process with nothing said; on a busy machine that takes a while.
    for (let delay = 1_500; ; delay *= 2) {
      const child = start(["bench", ...modelFlags, "--rounds", "10000", ...outputs]);
      const end = ended(child);
      await setTimeout(delay);
      child.kill(signal);
      const { code: exitCode, stdout, stderr } = await end;
      expect({ stdout, files: readdirSync(file(signal)) }).toEqual({ stdout: "", files: [] });
      if (!stderr.includes("stopped") && delay < 20_000) continue;
      expect(exitCode).toBe(code);
      expect(stderr).toMatch(/^(thinktree: others .*\n)?thinktree: stopped; nothing was written\n$/);
      break;
    }
  });
});

describe("another model", async () => {
  const model = await randomModel({ shape: shapes.tiny, type: "F16" }, file("models"));

  it("is given prompts of just so many tokens, and writes all that is asked for", async () => {
    const base = parseGguf(readFileSync(model));
    writeLora(file("models/l.gguf"), base, randomLora(base, /attn_q/, { rank: 2, alpha: 0.01, seed: 1 }));
    // With these sizes no branch draws the end token.
    const { found } = await bench(
      "--generator",
      model,
      "--generator-lora",
      `${file("models/l.gguf")}:0.5`,
      "--prompt",
      "100",
      "--length",
      "6",
      "--step",
      "3",
      "--branches",
      "1,2",
    );
    expectConsistent(found);
    expect(found.settings.promptTokens).toBe(100);
    expect(found.models.generator.file).toBe(`${basename(model)} + l.gguf`);
    for (const { branches, tokens, decodes, kvCellsPeak } of found.results) {
      expect({ tokens, decodes, kvCellsPeak }).toEqual({
        tokens: branches * 6 * 3,
        decodes: 6 * 3,
        kvCellsPeak: 100 + 6 * branches,
      });
    }
    rmSync(file("out.json"));
  });

  it("must hold the prompt and what is written", async () => {
    const { code, stderr } = await thinktree(["bench", "--generator", model, "--prompt", "2000"]);
    expect({ code, stderr: stderr.replace(/^thinktree: others use .*\n/, "") }).toEqual({
      code: 2,
      stderr: "thinktree: a prompt of 2000 tokens and 64 more need 2064, the model holds 2048: ask for fewer\n",
    });
  });
});

describe("mistakes", () => {
  it.concurrent.each<[string, string[], RegExp]>([
    ["no branches", ["--branches", "0"], /Use a whole number from 1 to 256/],
    ["too many", ["--branches", "1,512"], /Use a whole number from 1 to 256/],
    ["half a step", ["--length", "20"], /--length must be a multiple of --step \(8\): use 16 or 24$/m],
    ["less than a step", ["--length", "4"], /--length must be a multiple of --step \(8\): use 8$/m],
    ["a step of nothing", ["--step", "1"], /Use a whole number from 2/],
    [
      "a short cache",
      ["--kv-cells", "4096"],
      /64 branches of 64 tokens after 512 need 4,608 KV cells: use fewer, or more --kv-cells/,
    ],
    [
      "two generators",
      ["--model", "a.gguf", "--generator", "b.gguf"],
      /'--model <file.gguf>' cannot be used with option '--generator/,
    ],
    ["a model that is not there", ["--model", "/nowhere/g.gguf"], /\/nowhere\/g\.gguf: no such file/],
    ["a folder that is not there", ["--json", "/nowhere/out.json"], /cannot write \/nowhere\/out\.json: ENOENT/],
    ["a folder for a file", ["--csv", tmpdir()], /cannot write .*: it is a folder/],
    ["one file for two", ["--csv", file("x"), "--json", file("x")], /x is named twice: name two files/],
  ])("%s", async (_, flags, message) => {
    const { code, stdout, stderr } = await thinktree(["bench", ...flags]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^(thinktree: others .*\n)?thinktree: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(existsSync(file("x"))).toBe(false);
  });

  it("helps within 80 columns", async () => {
    const { code, stdout } = await thinktree(["bench", "--help"]);
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const name of Object.keys(sample().results[0]!)) expect(stdout).toContain(name);
  });
});

it("puts layers of named and of embedded models on the GPU", () => {
  const on = (name: string) => ({ path: expect.stringMatching(`${name}$`) as string, gpuLayers: 3 });
  expect(engineOptions({ gpuLayers: 3 }, undefined)).toEqual({
    generator: on("tiny-generator.gguf"),
    verifier: on("tiny-strong.gguf"),
  });
  expect(engineOptions({ gpuLayers: 3, generator: "g" }, undefined)).toEqual({ generator: on("g"), verifier: null });
  expect(engineOptions({ gpuLayers: 3, generator: "g", verifier: "v" }, undefined)).toEqual({
    generator: on("g"),
    verifier: on("v"),
  });
});

describe("the page", () => {
  const paper = { columns: 80, colors: picocolors.createColors(false) };

  it("shows the machine, speed, latency, and where time and memory went", () => {
    const lines = benchView(sample(), ["out.json"], paper);
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "
        machine    8 x A CPU, 16 GiB
        system     Linux 6.8.0 x64, Node v20.1.0, thinktree 1.2.3 (native), 2026-11-22
        generator  g.gguf, 1.00 MiB, 0.743 M parameters
        verifier   v.gguf, 2.00 MiB, 1.43 M parameters
        work       512 tokens of prompt, 16 a branch in steps of 8, 2 rounds
        threads    the engine's choice
        memory     171 MiB at peak, caches of 16,384 f16 cells

                  tokens/s                      first token, ms        step of 8, ms
        branches    median      least-most    p50    p95    p99    p50    p95    p99
               1     1,870     1,455-2,286   40.0   49.0   49.8   4.50   5.85   5.97
              16    29,922   23,273-36,571   40.0   49.0   49.8   4.50   5.85   5.97

                    a token    host ms verifier's         KV verifier's        MiB
        branches of all, ms   a decode      share      cells   KV cells   resident
               1      0.563      0.141      25.0%        528        510        171
              16      0.563      0.141      25.0%        768        510        171

        written    out.json"
    `);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

/** `thinktree solve` from outside, on real models: what it prints, and where. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { strategyNames } from "../../lib/strategies/index.js";
import { easy, long, mainFile, modelFlags, models, thinktree, unlessModels } from "./thinktree.js";

const count = z.number().int().nonnegative();
const step = z.strictObject({
  text: z.string().min(1),
  score: z.number().min(0).max(1).nullable(),
  tokens: count.positive(),
  logProbability: z.number().max(1e-6),
});
const answerJson = z.strictObject({
  answer: z.string().nullable(),
  text: z.string(),
  steps: z.array(step),
  score: z.number().min(0).max(1).nullable(),
  candidates: z
    .array(
      z.strictObject({
        answer: z.string().nullable(),
        text: z.string(),
        score: z.number().min(0).max(1).nullable(),
        weight: z.number().nonnegative(),
        finished: z.boolean(),
        flags: z.array(z.enum(["repeated-step", "empty-step", "too-short"])),
        steps: z.array(step),
      }),
    )
    .min(1),
  strategy: z.strictObject({
    name: z.enum([...strategyNames, "compute-optimal"]),
    options: z.record(z.string(), z.unknown()),
  }),
  decision: z
    .strictObject({
      estimate: z.enum(["score", "agreement", "question"]),
      difficulty: z.number().min(0).max(1).nullable(),
      bin: z.number().int().nonnegative().nullable(),
      stopped: z.enum(["agreement", "share"]).nullable(),
      rounds: z.array(z.strictObject({ strategy: z.string(), generations: z.number().int().positive() })).min(1),
    })
    .nullable(),
  generations: z.number().int().positive(),
  finishReason: z.enum(["complete", "budget", "deadline", "stopped"]),
  seed: count,
  ledger: z.strictObject({
    promptTokens: count,
    generatedTokens: count,
    coalescedTokens: count,
    verifierPromptTokens: count,
    verifierTokens: count,
    referenceTokens: count,
    recomputedTokens: count,
    kvCellsPeak: count,
    verifierKvCellsPeak: count,
    treeTokensPeak: count,
    speculatedTokens: count,
    speculatedKept: count,
    draftTokens: count,
    milliseconds: z.number().nonnegative(),
    flops: z.number().nonnegative(),
  }),
});

const controlCharacters = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

async function solveJson(...flags: string[]) {
  const { code, stdout, stderr } = await thinktree(["solve", easy, ...modelFlags, "--seed", "1", "--json", ...flags]);
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return { code, answer: answerJson.parse(JSON.parse(stdout)) };
}

describe.skipIf(unlessModels.skip)("thinktree solve (needs models/)", () => {
  it("prints the answer, scored steps and the cost, and nothing on stderr", async () => {
    const { code, stdout, stderr } = await thinktree(["solve", easy, ...modelFlags, "--seed", "1"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/█ \d\.\d{3} {2}24-5=19\n/);
    expect(stdout).toMatch(/^ {2}Answer {2}19$/m);
    expect(stdout).toMatch(/^ {2}search +compute-optimal, estimate \w+, seed 1$/m);
    expect(stdout).toMatch(/^ {2}chosen +difficulty \d\.\d\d, bin \d; /m);
    expect(stdout).toMatch(/^ {2}generator +\d+ prompt \+ \d+ generated tokens( \(\d+ shared\))?, \d+ KV cells$/m);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("writes no control characters where there is no terminal, whatever the environment says", async () => {
    for (const env of [{}, { CI: "true" }, { NO_COLOR: "1" }]) {
      const { stdout, stderr } = await thinktree(["solve", easy, ...modelFlags], { env });
      expect(stdout + stderr).not.toMatch(controlCharacters);
    }
  });

  it.each(strategyNames)("prints one JSON object of the documented shape: %s", async (strategy) => {
    const { code, answer } = await solveJson("--strategy", strategy, "--n", "8");
    expect(code).toBe(0);
    expect(answer).toMatchObject({ answer: "19", finishReason: "complete", seed: 1 });
    expect(answer.strategy.name).toBe(strategy);
    expect(answer.generations).toBeGreaterThanOrEqual(8);
    expect(answer.candidates[0]).toMatchObject({ answer: answer.answer, text: answer.text, score: answer.score });
    expect(answer.steps.map(({ text }) => text).join("")).toBe(answer.text);
    expect(answer.steps.every(({ score }) => (score === null) === (strategy === "majority"))).toBe(true);
    expect(answer.ledger.verifierTokens > 0).toBe(strategy !== "majority");
  });

  it("answers the same with a draft model", async () => {
    const alone = await solveJson("--strategy", "majority", "--n", "2");
    const drafted = await solveJson("--strategy", "majority", "--n", "2", "--draft", models!.generator);
    expect(drafted.answer.text).toBe(alone.answer.text);
    expect(drafted.answer.ledger.speculatedKept).toBeGreaterThan(0);
    expect(drafted.answer.ledger.draftTokens).toBeGreaterThan(0);
    expect(alone.answer.ledger.draftTokens).toBe(0);
  });

  it("finds the same by working ahead", async () => {
    const beam = ["--strategy", "beam", "--n", "64", "--temperature", "1"];
    const [plain, ahead] = [await solveJson(...beam), await solveJson(...beam, "--work-ahead")];
    expect(ahead.answer.strategy.options).toMatchObject({ workAhead: true });
    expect(ahead.answer.answer).toBe(plain.answer.answer);
    expect(plain.answer.ledger.speculatedTokens).toBe(0);
    expect(ahead.answer.ledger.speculatedTokens).toBeGreaterThan(0);
  });

  it("hands its settings to the search", async () => {
    const { answer } = await solveJson(
      ...["--strategy", "lookahead", "--n", "6", "--beam-width", "3", "--lookahead", "2", "--aggregation", "product"],
      ...[
        "--temperature",
        "0.5",
        "--top-k",
        "5",
        "--top-p",
        "0.9",
        "--min-p",
        "0.01",
        "--kv-cells",
        "2048",
        "--threads",
        "1",
      ],
    );
    expect(answer.strategy.options).toMatchObject({
      n: 6,
      beamWidth: 3,
      lookahead: 2,
      aggregation: "product",
      temperature: 0.5,
    });
  });

  it("lets the policy choose, and says what it chose", async () => {
    const { code, answer } = await solveJson("--n", "16");
    expect(code).toBe(0);
    expect(answer.strategy.name).toBe("compute-optimal");
    expect(answer.generations).toBeLessThanOrEqual(16);
    const ran = answer.decision!.rounds.reduce((sum, { generations }) => sum + generations, 0);
    expect(ran).toBe(answer.generations);
  });

  it("reads the question from standard input", async () => {
    const { code, stdout } = await thinktree(["solve", "-", ...modelFlags, "--json"], { input: `${easy}\n` });
    expect(code).toBe(0);
    expect(answerJson.parse(JSON.parse(stdout)).answer).toBe("19");
  });

  it("votes where there is no verifier, and where the model names none of its own", async () => {
    for (const flags of [["--no-verifier", ...modelFlags.slice(0, 2)], modelFlags.slice(0, 2)]) {
      const { stdout } = await thinktree(["solve", easy, ...flags, "--json"]);
      const answer = answerJson.parse(JSON.parse(stdout));
      expect(answer).toMatchObject({ strategy: { name: "compute-optimal" }, score: null });
      expect(answer.decision!.rounds.every(({ strategy }) => strategy === "majority")).toBe(true);
    }
  });

  it("keeps to the token budget", async () => {
    const { code, answer } = await solveJson("--max-tokens", "12", "--n", "8");
    expect(answer.finishReason).toBe("budget");
    expect(answer.ledger.generatedTokens).toBeLessThanOrEqual(12);
    expect(code).toBe(answer.answer === null ? 3 : 0);
  });

  it("keeps to the time limit, and says with its exit code that there is no answer yet", async () => {
    const { code, stdout } = await thinktree([
      "solve",
      long,
      ...modelFlags,
      "--strategy",
      "beam",
      "--n",
      "1024",
      "--time",
      "0.03s",
    ]);
    expect(stdout).toMatch(/Answer {2}none {2}\(time is up: the best so far/);
    expect(code).toBe(3);
  });

  it("shows control characters of a model's text as pictures", async () => {
    // Without a question it was trained on, and hot, the model writes any byte.
    const flags = ["--strategy", "majority", "--n", "8", "--temperature", "5", "--seed", "1", "--max-tokens", "800"];
    const { stdout } = await thinktree(["solve", "?", ...modelFlags, ...flags]);
    expect(stdout).not.toMatch(controlCharacters);
  });

  it("shows progress on a terminal, in place, and leaves the cursor visible", { skip: !canFakeTerminal() }, () => {
    const search = ["--strategy", "beam", "--n", "2048", "--temperature", "1.5"]; // long enough to be seen
    const command = [process.execPath, mainFile, "solve", long, ...modelFlags, ...search].map(quoted).join(" ");
    const env = { ...process.env, TERM: "xterm-256color", NO_COLOR: "1" };
    const screen = execFileSync("script", ["-qec", `stty cols 80 rows 24; ${command}`, "/dev/null"], {
      encoding: "utf8",
      env,
    });
    expect(screen).toMatch(/beam.* · round \d+ · [\d,]+ live .*tokens\/s/);
    expect(screen).toMatch(/best \d\.\d{3}/);
    expect(screen.lastIndexOf("\u001b[?25h")).toBeGreaterThan(screen.lastIndexOf("\u001b[?25l"));
    expect(screen).not.toContain("\u001b[3"); // NO_COLOR
    // The answer stands below what was cleared.
    expect(screen.slice(screen.lastIndexOf("tokens/s ·") + 1)).toMatch(/Answer/);
  });
});

it("knows where its models are", { skip: models !== undefined }, () => {
  console.warn("test/cli: models/ is incomplete, the tests on real models are skipped");
});

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function canFakeTerminal(): boolean {
  if (process.platform !== "linux") return false;
  try {
    execFileSync("script", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

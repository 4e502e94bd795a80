/**
 * The embedded models in the real engine: what was trained is what runs, however it is batched.
 *
 * The generator judges itself here, so that the verifier's score of a step must be what the generator drew it with: one
 * path through forks, single rows and large batches, the other through spans of many rows. A wrong mask, a cell of another
 * branch or a broken attention kernel shows at once.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterEach, expect, test } from "vitest";

import {
  beamSearch,
  bestOfN,
  Engine,
  majorityVote,
  revisions,
  type Answer,
  type LoadOptions,
  type Tree,
} from "../../lib/index.js";
import { sharingOf, tokensOf } from "../../lib/evaluation/sharing.js";
import { defaultPolicy } from "../../lib/scheduler/default-policy.js";

const model = (name: string) => fileURLToPath(new URL(`../../models/${name}.gguf`, import.meta.url));
const heldOut = readFileSync(new URL("../../models/heldout.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as { question: string; answer: string; pass1: number });

let engine: Engine;
afterEach(() => engine.close());
const load = async (options?: LoadOptions) => (engine = await Engine.load(options));

function open(seed = 1): Promise<Tree> {
  const prompt = `Q: ${heldOut[1]!.question}\n`;
  const sampler = { temperature: 1, topK: 0, topP: 1, minP: 0 };
  const none = { tokenBudget: undefined, deadlineMs: undefined, maxLength: undefined };
  return engine.openTree({
    ...{ prompt, verifierPrompt: prompt, seed, sampler, ...none },
    ...{ steps: { delimiters: ["\n"] }, finalPrefix: "A: ", stop: [] },
  });
}

test.each([1, 3, 16, 100])("%i branches: a step is as likely to the verifier as to the generator", async (n) => {
  await load({ generator: model("tiny-generator"), verifier: { path: model("tiny-generator"), recipe: "likelihood" } });
  const tree = await open();
  const branches = tree.fork(tree.root, n);
  await tree.extend(branches, { score: true, steps: 2 });
  const further = branches.flatMap((branch) => tree.fork(branch, 2));
  await tree.extend(further, { score: true, steps: Infinity });
  await tree.score(further);
  for (const step of further.flatMap(({ steps }) => steps)) {
    // Half-precision caches and other batch shapes: equal to about a hundredth in the logarithm.
    expect(Math.abs(Math.log(step.score!) - step.logProbability)).toBeLessThan(0.05 + 0.02 * Math.abs(step.logProbability));
  }
  expect((await tree.close()).recomputedTokens).toBe(0);
});

// Short: on a busy machine threads wait for each other at every node of the graph.
test("two threads read from the logits what one does", async () => {
  const samplers = [{}, { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 }];
  const write = async (threads: number) => {
    await load({ threads });
    const tree = await open();
    const branches = tree.fork(tree.root, 16);
    const half = (i: number) => branches.filter((_, j) => j % 2 === i);
    await Promise.all(samplers.map((sampler, i) => tree.extend(half(i), { ...sampler, score: true })));
    await engine.close();
    return branches.flatMap(({ steps }) => steps);
  };
  const [one, two] = [await write(1), await write(2)];
  expect(two.map(({ text }) => text)).toEqual(one.map(({ text }) => text));
  for (const [i, { logProbability, score }] of two.entries()) {
    // Attention of single rows is summed in other parts.
    expect(logProbability).toBeCloseTo(one[i]!.logProbability, 3);
    expect(score!).toBeCloseTo(one[i]!.score!, 3);
  }
});

test("easy questions are solved, and cost what the ledger says", async () => {
  await load();
  const easy = heldOut.filter(({ pass1 }) => pass1 > 0.9).slice(0, 10);
  const answers = await Promise.all(
    easy.map(({ question }, seed) => engine.solve(question, { strategy: beamSearch({ n: 8, beamWidth: 4 }), seed })),
  );
  const right = answers.filter(({ answer }, i) => answer === easy[i]!.answer);
  expect(right.length).toBeGreaterThanOrEqual(9);
  for (const { ledger } of answers) {
    // Live tokens not yet in the cache are the last ones of branches, one each.
    expect(ledger.kvCellsPeak).toBeLessThanOrEqual(ledger.treeTokensPeak);
    expect(ledger.kvCellsPeak).toBeGreaterThan(ledger.treeTokensPeak - 8 - 1);
    expect(ledger.verifierTokens).toBeLessThanOrEqual(ledger.generatedTokens);
    expect(ledger.recomputedTokens).toBe(0);
  }
  expect(engine.stats()).toMatchObject({ kvCells: 0, verifierKvCells: 0, leases: 0, searches: 0, branches: 0 });
});

test("a tag verifier decodes the steps and their tags, and nothing else", async () => {
  await load({ generator: model("tiny-generator"), verifier: model("tiny-prm") });
  expect(engine.models.verifier).toMatchObject({ reading: "pair" });
  const { candidates, ledger } = await engine.solve(heldOut[1]!.question, { strategy: bestOfN({ n: 8 }), seed: 1 });
  const steps = candidates.flatMap((candidate) => candidate.steps);
  for (const { score } of steps) expect(score).toSatisfy((p: number) => p > 0 && p < 1);
  // What several solutions begin with is one step of theirs.
  const different = new Map(
    candidates.flatMap(({ steps }) =>
      steps.map(({ tokens }, i) => [JSON.stringify(steps.slice(0, i + 1).map(({ text }) => text)), tokens] as const),
    ),
  );
  expect(ledger.verifierTokens).toBe([...different.values()].reduce((sum, tokens) => sum + tokens + 1, 0));
});

test("what samples write alike is written once, and fewer of them cost what the sharing says", async () => {
  await load();
  const asked = heldOut.slice(0, 12);
  const sample = (n: number) =>
    Promise.all(asked.map(({ question }, seed) => engine.solve(question, { strategy: bestOfN({ n }), seed: n + seed })));
  const [few, many] = [await sample(8), await sample(64)];
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  for (const { candidates, ledger } of many) {
    expect(candidates).toHaveLength(64);
    const drawn = total(candidates.flatMap(({ steps }) => steps.map(({ tokens }) => tokens)));
    expect(ledger.generatedTokens + ledger.coalescedTokens).toBe(drawn);
    expect(ledger.treeTokensPeak).toBeLessThanOrEqual(ledger.promptTokens + ledger.generatedTokens);
  }
  const written = total(many.map(({ ledger }) => ledger.generatedTokens));
  const sharings = many.map(({ candidates, generations, ledger }) => sharingOf(candidates, generations, ledger));
  expect(total(sharings.map((sharing) => tokensOf(sharing, 64)))).toBeCloseTo(written, 6);
  expect(total(many.map(({ ledger }) => ledger.coalescedTokens))).toBeGreaterThan(written);
  // Other samples of the same questions: within a fifth, by chance.
  const ratio =
    total(sharings.map((sharing) => tokensOf(sharing, 8))) / total(few.map(({ ledger }) => ledger.generatedTokens));
  expect(ratio).toBeGreaterThan(0.8);
  expect(ratio).toBeLessThan(1.2);
});

test("the reviser solves questions in chains that grow on one branch", async () => {
  await load({ generator: model("tiny-reviser"), verifier: model("tiny-strong") });
  const medium = heldOut.filter(({ pass1 }) => pass1 > 0.6 && pass1 < 0.9).slice(0, 12);
  const strategy = revisions({ chains: 2, length: 3 });
  const answers = await Promise.all(medium.map(({ question }, seed) => engine.solve(question, { strategy, seed })));
  const right = answers.filter(({ answer }, i) => answer === medium[i]!.answer);
  expect(right.length).toBeGreaterThanOrEqual(8);
  // Attempts grow on one branch: what is given is the question and a separator for each further attempt.
  const prompts = answers.map(({ ledger }) => ledger.promptTokens - ledger.verifierPromptTokens);
  expect(Math.max(...prompts)).toBeLessThan(4 * 10);
});

test("the larger generator solves easy questions greedily", async () => {
  await load({ generator: model("tiny-large"), verifier: null });
  expect(engine.models.generator.parameters).toBeGreaterThan(14 * 742_528);
  const easy = heldOut.filter(({ pass1 }) => pass1 > 0.9).slice(0, 10);
  const strategy = majorityVote({ n: 1, temperature: 0 });
  const answers = await Promise.all(easy.map(({ question }) => engine.solve(question, { strategy })));
  expect(answers.filter(({ answer }, i) => answer === easy[i]!.answer).length).toBeGreaterThanOrEqual(8);
});

test("winners of subtrees decide whether more are needed: four samples are not enough for this rule, more winners are", async () => {
  const usual = defaultPolicy(true);
  const entry = { ...usual.overall.entries[0]!, budget: 64, generations: 64, strategy: "dvts" as const };
  const bin = { upTo: 1, questions: 0, entries: [{ ...entry, settings: { beamWidth: 2 } }] };
  const policy = { ...usual, bins: { agreement: [bin] }, overall: bin, stop: { agreement: 0.97, share: null } };
  await load({ policy });
  const easy = heldOut.find(({ pass1 }) => pass1 > 0.97)!;
  const { answer, decision } = await engine.solve(easy.question, { budget: 64, seed: 1 });
  expect(answer).toBe(easy.answer);
  expect(decision!.stopped).toBe("agreement");
  // The samples were alike, and so the subtrees run side by side.
  expect(decision!.rounds.map(({ strategy }) => strategy)).toEqual(["weighted-best-of-n", "dvts"]);
});

test("a small budget of tokens pays for whole solutions, and not for the beginnings of many", async () => {
  await load();
  for (const { question } of heldOut.slice(0, 12)) {
    const { candidates, ledger } = await engine.solve(question, { budget: { tokens: 120 }, seed: 1 });
    expect(candidates[0]!.finished).toBe(true);
    expect(ledger.generatedTokens).toBeLessThanOrEqual(120);
  }
});

test("many questions spend one budget of tokens or operations, and not one more", async () => {
  await load();
  const some = heldOut.slice(0, 24);
  const flopsOfToken = 2 * (engine.models.generator.parameters + engine.models.verifier!.parameters);
  for (const budget of [{ tokens: 24 * 150 }, { flops: 24 * 150 * flopsOfToken }, { tokens: 24 * 150, generations: 60 }]) {
    const answers = await engine.solveAll(
      some.map(({ question }) => question),
      { budget, seed: 1 },
    );
    const sum = (cost: (answer: Answer) => number) => answers.reduce((total, answer) => total + cost(answer), 0);
    const cost = {
      generations: sum(({ generations }) => generations),
      tokens: sum(({ ledger }) => ledger.generatedTokens),
      flops: sum(({ ledger }) => ledger.flops),
    };
    for (const [unit, cap] of Object.entries(budget)) expect(cost[unit as keyof typeof cost]).toBeLessThanOrEqual(cap);
    expect(answers.every(({ candidates }) => candidates[0]!.finished)).toBe(true);
    expect(answers.filter(({ answer }, i) => answer === some[i]!.answer).length).toBeGreaterThan(8);
  }
  expect(engine.stats()).toMatchObject({ kvCells: 0, verifierKvCells: 0, leases: 0, searches: 0, branches: 0 });
});

/**
 * The same models here and on llama.cpp's own server. It takes minutes to build, so this runs only where it has been:
 * node scripts/build-rivals.mjs, or THINKTREE_TEST_SERVER names one.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { builtRival } from "../../bench/support/rivals.js";
import { startTiny, TinyServers, tinyGenerator, tinyRecipe, tinyVerifier } from "../../bench/support/tiny-servers.js";
import { beamSearch, bestOfN, Engine, majorityVote, type SolveOptions, type StepRule } from "../../lib/index.js";
import { embeddedModels } from "../support/models.js";

const models = embeddedModels();
const ready = models !== undefined && builtRival("llama-server") !== undefined;

interface Asked {
  readonly question: string;
  readonly answer: string;
}
const asked = (count: number): Asked[] =>
  readFileSync(models!.heldOut, "utf8")
    .split("\n", count)
    .map((line) => JSON.parse(line) as Asked);

describe("an engine on llama.cpp's server", { skip: !ready }, () => {
  let servers: TinyServers;
  let local: Engine;
  let remote: Engine;

  beforeAll(async () => {
    [servers, local] = await Promise.all([
      TinyServers.start(8),
      Engine.load({ generator: tinyGenerator, verifier: tinyVerifier }),
    ]);
    remote = await Engine.connect(servers.options());
  });
  afterAll(async () => {
    await Promise.all([remote?.close(), local?.close()]);
    await servers?.kill();
  });

  it("writes the same where nothing is left to chance, scores it the same, and counts the same", async () => {
    const strategy = bestOfN({ n: 1, temperature: 0 });
    let furthest = 0;
    for (const { question } of asked(20)) {
      const [there, here] = [await remote.solve(question, { strategy }), await local.solve(question, { strategy })];
      expect(there.steps.map(({ text, tokens }) => [text, tokens])).toEqual(
        here.steps.map(({ text, tokens }) => [text, tokens]),
      );
      here.steps.forEach((step, i) => {
        expect(there.steps[i]!.logProbability).toBeCloseTo(step.logProbability, 1);
        furthest = Math.max(furthest, Math.abs(there.steps[i]!.score! - step.score!));
      });
      const counted = ({ ledger }: typeof here) =>
        (["promptTokens", "generatedTokens", "verifierPromptTokens", "verifierTokens"] as const).map(
          (of) => ledger[of],
        );
      expect(counted(there)).toEqual(counted(here));
    }
    expect(furthest).toBeLessThan(5e-3); // both caches hold 16-bit numbers: our own two kernels differ by as much
  });

  it("asks by the chat template that the server tells", async () => {
    const { url } = servers.generator;
    await using chat = await Engine.connect({ generator: { url, recipe: "general", system: "Be brief." } });
    const { prompt_template: prompt } = chat.models.generator.recipe;
    expect(prompt).toContain("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"); // ChatML, for files that have none
  });

  it("may be verified here", async () => {
    const { generator } = servers.options();
    await using mixed = await Engine.connect({ generator, verifier: local });
    expect(mixed.fingerprints).toEqual({
      generator: expect.stringContaining("remote:") as string,
      verifier: local.fingerprints.verifier,
    });
    const strategy = bestOfN({ n: 4, temperature: 0 });
    for (const { question } of asked(5)) {
      const [there, here] = [await mixed.solve(question, { strategy }), await local.solve(question, { strategy })];
      expect(there.steps.map(({ text }) => text)).toEqual(here.steps.map(({ text }) => text));
      expect(there.score).toBeCloseTo(here.score!, 2);
      expect(there.ledger.verifierTokens).toBe(here.ledger.verifierTokens);
      expect(there.ledger.verifierPromptTokens).toBe(here.ledger.verifierPromptTokens);
    }
    expect(local.stats().searches).toBe(0);
    const scored = await mixed.score("1+1?", ["1+1=2", "A: 2"]);
    expect(scored.scores).toEqual((await local.score("1+1?", ["1+1=2", "A: 2"])).scores);
  });

  it("cuts steps by the same rules", async () => {
    const question = asked(1)[0]!.question;
    const rules: StepRule[] = [{ tokens: 3 }, { pattern: /\d[+*/=-]/ }, { whole: true }, { confidence: 0.9 }];
    for (const steps of rules) {
      await using there = await Engine.connect(servers.options(steps));
      await using here = await Engine.load({ generator: { path: tinyGenerator, steps }, verifier: null });
      const strategy = majorityVote({ n: 1, temperature: 0 });
      const [far, near] = [await there.solve(question, { strategy }), await here.solve(question, { strategy })];
      expect(far.steps.map(({ text }) => text)).toEqual(near.steps.map(({ text }) => text));
    }
  });

  it("answers as well, by any strategy", async () => {
    const questions = asked(16);
    const right = async (engine: Engine, how: SolveOptions) => {
      const answers = await Promise.all(
        questions.map(({ question }, i) => engine.solve(question, { ...how, temperature: 0.5, seed: i })),
      );
      return answers.filter(({ answer }, i) => answer === questions[i]!.answer).length;
    };
    const ways: SolveOptions[] = [
      { strategy: bestOfN({ n: 4 }) },
      { strategy: beamSearch({ n: 4, beamWidth: 2 }) },
      { budget: 8 },
    ];
    for (const how of ways) {
      const [there, here] = [await right(remote, how), await right(local, how)];
      expect(Math.abs(there - here)).toBeLessThanOrEqual(5); // two standard errors of the difference of what is right half the time are 5.7
    }
  });

  it("draws the same from the same seed", async () => {
    const { question } = asked(1)[0]!;
    const texts = async (seed: number) =>
      (await remote.solve(question, { strategy: majorityVote({ n: 1, temperature: 2 }), seed, maxLength: 40 })).text;
    expect(await texts(1)).toBe(await texts(1));
    expect(await texts(1)).not.toBe(await texts(2));
  });

  it("leaves no request behind", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const search = remote.solve(asked(1)[0]!.question, { strategy: bestOfN({ n: 8 }), signal });
    const busy = async () => {
      const slots = (await (await fetch(`${servers.generator.url}/slots`)).json()) as { is_processing: boolean }[];
      return slots.some((slot) => slot.is_processing);
    };
    while (!(await busy()));
    controller.abort();
    await expect(search).rejects.toMatchObject({ code: "CANCELLED" });
    while (await busy()); // or the test never ends
  });

  it("fails as soon as the server is gone, and not only then", async () => {
    const doomed = await startTiny(tinyGenerator, 8);
    await using engine = await Engine.connect({ generator: { url: doomed.url, recipe: tinyRecipe }, retries: 1 });
    const begun = engine.stats().decodedTokens;
    const strategy = majorityVote({ n: 64, temperature: 1 });
    const failed = expect(engine.solve(asked(1)[0]!.question, { strategy })).rejects.toMatchObject({
      code: "REMOTE_FAILED",
    });
    while (engine.stats().decodedTokens === begun) await new Promise(setImmediate);
    await doomed.kill();
    await failed;
    await expect(engine.solve("1+1?", { strategy })).rejects.toMatchObject({ code: "REMOTE_FAILED" });
  });
});

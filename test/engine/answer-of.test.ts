/** Answers read off by the caller's own function, over the real addon and the fake backend. */
import { afterEach, expect, it } from "vitest";
import { Engine } from "../../lib/scheduler/engine.js";
import { majorityVote } from "../../lib/strategies/index.js";

let engine: Engine;
afterEach(() => engine.close());

it("votes on what the function reads, and refuses what is none", async () => {
  engine = await Engine.load({ generator: { fake: {} } });
  const options = { strategy: majorityVote({ n: 8 }), seed: 1, maxLength: 20 };
  const texts: string[] = [];
  const answerOf = (text: string) => {
    texts.push(text);
    return text.length % 2 === 0 ? "even" : "odd";
  };
  const { answer, candidates } = await engine.solve("1+2?", { ...options, answerOf });
  expect(texts).toHaveLength(candidates.length);
  const votes = candidates.filter((one) => one.answer === answer);
  expect(votes.length).toBeGreaterThanOrEqual(candidates.length / 2);
  for (const one of candidates) expect(one.answer).toBe(one.text.length % 2 === 0 ? "even" : "odd");
  await expect(engine.solve("1+2?", { ...options, answerOf: "even" as never })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
});

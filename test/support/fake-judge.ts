/**
 * A judge over the fake backend, beside a generator that is the same toy.
 *
 * Owns: its rules. Must not know: what is tested.
 */
import { EngineCore } from "../../lib/engine/engine-core.js";
import type { JudgeRules } from "../../lib/engine/judge-rules.js";
import { isolation, type Fake } from "./fake-engine.js";

/** Each analysis is a line of the toy's, the verdict "+" or "0". */
const rules: JudgeRules = {
  ...{ kind: "judge", first: { before: "[{i}]", after: "" }, next: { before: "\n[{i}]", after: "" }, ask: "?{i}=" },
  ...{ ends: ["\n"], unfinished: "...", verdict: "so ", positive: "+", negative: "0" },
  ...{ tokens: 40, temperature: 1, topK: 0, topP: 1, votes: 1 },
};
export const conversation: Partial<JudgeRules> = { onward: "\nnext" };

export function loadJudge(
  judge: Partial<JudgeRules> = {},
  verifier: Fake = {},
  generator: Fake = {},
  runs = isolation,
): Promise<EngineCore> {
  const reading = { ...rules, ...judge };
  return EngineCore.load({
    ...{ generator: { fake: generator }, verifier: { fake: verifier, reading }, isolation: runs },
  });
}

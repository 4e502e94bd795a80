/**
 * Where a solution's steps end, as a person says it.
 *
 * Owns: the ways to say it, their checks, and what each is to the engine.
 * Must not know: recipes, models.
 */
import { z } from "zod";

import type { StepEnd } from "../engine/codec.js";
import { patternOf } from "./step-pattern.js";

const text = z.string().min(1);

/** One way of these; a step is whole tokens, and has at least a word in it. */
export const stepRuleSchema = z.union([
  /** Up to and including this text, or any of these: "\n", "\n\n", "</step>". */
  z.strictObject({ delimiter: z.union([text, z.array(text).min(1).max(64)]) }),
  /** Where a match first ends; see step-pattern.ts for what a pattern may have. Flags of a text: i, s, u. */
  z.strictObject({ pattern: z.union([text, z.instanceof(RegExp)]), flags: z.string().optional() }),
  /** After so many tokens. */
  z.strictObject({ tokens: z.number().int().min(1).max(65_536) }),
  /**
   * Before each token that is drawn though the model gives it less than this probability, at temperature 1: where it is
   * unsure how to go on (AdaptiveStep, Liu et al. 2025, whose threshold is met by some 2% of tokens).
   */
  z.strictObject({ confidence: z.number().gt(0).lt(1) }),
  /** The whole solution is one step. */
  z.strictObject({ whole: z.literal(true) }),
]);

export type StepRule = z.infer<typeof stepRuleSchema>;

/** @throws {ThinkTreeError} INVALID_OPTION: a pattern that cannot be searched for */
export function stepEndOf(rule: StepRule): StepEnd {
  if ("delimiter" in rule) return { delimiters: [rule.delimiter].flat() };
  if ("tokens" in rule) return { delimiters: [], tokens: rule.tokens };
  if ("confidence" in rule) return { delimiters: [], leastLogProbability: Math.log(rule.confidence) };
  if ("whole" in rule) return { delimiters: [] };
  const { pattern, flags } = sourceOf(rule);
  return { delimiters: [], pattern: patternOf(pattern, flags) };
}

/** As recipes carry it. */
export function stepEndText(rule: StepRule): string {
  return JSON.stringify(stepEndOf(rule));
}

function sourceOf({ pattern, flags = "" }: Extract<StepRule, { pattern: unknown }>) {
  return typeof pattern === "string" ? { pattern, flags } : { pattern: pattern.source, flags: pattern.flags };
}

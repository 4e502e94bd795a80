/**
 * The flag that says where a step ends.
 *
 * Owns: its words. Must not know: models.
 */
import { InvalidArgumentError, Option } from "commander";

import { ThinkTreeError } from "../errors.js";
import { stepEndOf, stepRuleSchema, type StepRule } from "../scheduler/step-rule.js";

export function stepsOption(): Option {
  const ways = "line, paragraph, whole, text:WORDS, pattern:REGEX, tokens:N or confidence:P";
  return new Option("--steps <where>", `where a step ends: ${ways} (default: by the recipe)`).argParser(parse);
}

function parse(words: string): StepRule {
  const rule = stepRuleSchema.safeParse(ruleOf(words));
  if (!rule.success) {
    const ways =
      "line, paragraph, whole, text:WORDS, pattern:REGEX, tokens:32 (1 to 65536) or confidence:0.5 (below 1)";
    throw new InvalidArgumentError(`Use ${ways}.`);
  }
  try {
    stepEndOf(rule.data); // a mistake is told before gigabytes are loaded
  } catch (error) {
    if (ThinkTreeError.isInstance(error)) throw new InvalidArgumentError(error.message);
    throw error;
  }
  return rule.data;
}

function ruleOf(words: string): unknown {
  const [, kind = "", value = ""] = /^(\w+)(?::(.*))?$/s.exec(words) ?? [];
  if (words === "line") return { delimiter: "\n" };
  if (words === "paragraph") return { delimiter: "\n\n" };
  if (words === "whole") return { whole: true };
  if (kind === "text") return { delimiter: value };
  if (kind === "pattern") return { pattern: value };
  return { [kind]: value.trim() === "" ? NaN : Number(value) };
}

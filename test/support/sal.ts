/**
 * search-and-learn's published outputs on MATH-500, read as it reads them (../shared/data/recorded/sal).
 *
 * Owns: finding the files; its way to read an answer off a text, and which answers it counts as one, as near as can be
 * without its computer algebra. Must not know: how solutions are ranked.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { means } from "../../lib/grading/symbolic.js";
import { normalizeAnswer } from "../../lib/verifiers/answer.js";

export interface SalProblem {
  readonly completions: readonly string[];
  /** Of each completion's steps. */
  readonly scores: readonly (readonly number[])[];
  /** One a completion. */
  readonly aggScores: readonly number[];
  /** The completion of the highest one. */
  readonly pred: string;
  /** pred_naive@4 and so on: what is chosen among the first 4, boxed. */
  readonly picks: readonly { readonly choice: SalChoice; readonly k: number; readonly pick: string }[];
}

export type SalChoice = "naive" | "weighted" | "maj";

const folder = fileURLToPath(new URL("../../../shared/data/recorded/sal/", import.meta.url));

/** Those with scores: the realigned ones have none. */
export const salFiles: readonly string[] = !existsSync(folder)
  ? []
  : readdirSync(folder).filter((name) => !name.includes("labels") && !name.startsWith("realigned"));

export function salProblems(name: string): SalProblem[] {
  const bytes = readFileSync(folder + name);
  const lines = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8").trimEnd().split("\n");
  if (name.startsWith("bon_llama3.2-1b_n256")) lines.pop(); // it is cut
  return lines.map((line) => {
    const row = JSON.parse(line) as Record<string, string> & {
      completions: string[];
      scores: number[][];
      agg_scores: number[];
    };
    const picks = Object.entries(row).flatMap(([field, pick]) => {
      const [, choice, k] = /^pred_(naive|weighted|maj)@(\d+)$/.exec(field) ?? [];
      return k === undefined ? [] : [{ choice: choice as SalChoice, k: Number(k), pick: pick as string }];
    });
    const { completions, scores, agg_scores: aggScores, pred = "" } = row;
    return { completions, scores, aggScores, pred, picks };
  });
}

/** The last box, else what follows the last "he answer is", else the last number. */
export function readBySal(text: string): string | null {
  const found =
    minerva(text) ??
    boxed(text) ??
    /he answer is(?!.*he answer is)([\s\S]*)/s.exec(text)?.[1] ??
    text
      .replaceAll(",", "")
      .match(/-?\d*\.?\d+/g)
      ?.at(-1) ??
    "";
  const answer = found.trim().split("\n")[0]!.replace(/^:/, "").replace(/[./]$/, "");
  return normalizeAnswer(answer) || null;
}

function minerva(text: string): string | undefined {
  return text.includes("$. I hope") ? text.split("final answer is $")[1]?.split("$. I hope")[0] : undefined;
}

function boxed(text: string): string | undefined {
  if (!text.includes("boxed")) return undefined;
  const rest = text.split("boxed").at(-1)!;
  if (!rest.startsWith("{")) return rest.split("$")[0]!;
  let depth = 0;
  for (let i = 0; i < rest.length; i++) {
    if (rest[i] === "{") depth++;
    else if (rest[i] === "}" && --depth === 0) return rest.slice(1, i);
  }
  return rest.slice(1);
}

/** Each answer by the first that means the same. */
export function grouped(answers: readonly (string | null)[]): (string | null)[] {
  const firsts: string[] = [];
  return answers.map((answer) => {
    if (answer === null) return null;
    const first = firsts.find((first) => sameToSal(first, answer));
    if (first === undefined) firsts.push(answer);
    return first ?? answer;
  });
}

export function sameToSal(a: string, b: string): boolean {
  return a.replace(/\s/g, "") === b.replace(/\s/g, "") || means(a, b);
}

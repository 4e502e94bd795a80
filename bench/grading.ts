/**
 * How far the grader of mathematics agrees with published labels, and how it takes answers made by chance.
 *
 * Owns: the runs, the output. Must not know: how answers are graded.
 */
import { existsSync } from "node:fs";

import { mathGrader, type Grader, type MathMode } from "thinktree";
import { answerExtractor } from "#lib/verifiers/answer.js";

import { fuzzedPairs } from "./grading/fuzz.js";
import { labelledFiles, type LabelledFile } from "./grading/labelled.js";
import { number, print } from "./support/table.js";

export interface GradingOptions {
  /** Folder of labelled solutions; left out if it is not there. */
  readonly recorded: string;
  readonly modes: readonly MathMode[];
  /** Disagreements to print of each mode, the most frequent first. */
  readonly list: number;
  readonly fuzz: number;
  readonly seed: number;
}

/** Hard: an answer whose verdict comes later fails the run. */
const latestMs = 1_000;

const answerOf = answerExtractor();

export async function grading(options: GradingOptions): Promise<void> {
  const files = existsSync(options.recorded) ? labelledFiles(options.recorded) : [];
  if (files.length === 0) console.log(`no labelled solutions in ${options.recorded}: fuzzing alone`);
  for (const mode of options.modes) {
    await using grader = mathGrader({ mode });
    if (files.length > 0) await agreement(grader, files, options.list);
    await fuzzed(grader, options);
  }
}

async function agreement(grader: Grader, files: readonly LabelledFile[], list: number): Promise<void> {
  const verdicts = new Map<string, Promise<boolean>>();
  const verdict = (answer: string | null, reference: string) => {
    const key = JSON.stringify([answer, reference]);
    if (!verdicts.has(key)) verdicts.set(key, grader.grade(answer, reference));
    return verdicts.get(key)!;
  };
  const apart = new Map<string, { count: number; row: string[] }>();
  const rows: string[][] = [];
  let [all, agreed, accepted, rejected] = [0, 0, 0, 0];
  for (const { name, solutions } of files) {
    let same = 0;
    for (const { text, reference, right } of solutions) {
      const [answer, wanted] = [answerOf(text), answerOf(reference) ?? reference];
      const ours = await verdict(answer, wanted);
      if (ours === right) same++;
      else {
        if (ours) accepted++;
        else rejected++;
        const row = [answer ?? "(states none)", wanted, ours ? "right" : "wrong"];
        const entry = apart.get(row.join("\n")) ?? { count: 0, row };
        entry.count++;
        apart.set(row.join("\n"), entry);
      }
    }
    rows.push([name, String(solutions.length), percent(same, solutions.length)]);
    all += solutions.length;
    agreed += same;
  }
  rows.push(["all", String(all), percent(agreed, all)]);
  print({ title: `Agreement of ${grader.name} with the labels`, columns: ["file", "solutions", "agree %"], rows });
  console.log(`\n${accepted} were right only to us, ${rejected} only to the labels.`);
  const frequent = [...apart.values()].sort((a, b) => b.count - a.count).slice(0, list);
  const listed = frequent.map(({ count, row }) => [...row.map(oneLine), String(count)]);
  if (list > 0) print({ title: "Where they differ", columns: ["answer", "reference", "ours", "times"], rows: listed });
}

/** One answer after the other, so that each verdict's own time is seen. */
async function fuzzed(grader: Grader, { fuzz, seed }: GradingOptions): Promise<void> {
  const times: number[] = [];
  let right = 0;
  await grader.grade("1.0", "1"); // its thread is up
  for (const [answer, reference] of fuzzedPairs(fuzz, seed)) {
    const begun = performance.now();
    if (await grader.grade(answer, reference)) right++;
    times.push(performance.now() - begun);
  }
  const latest = Math.max(0, ...times);
  console.log(`\n${fuzz} fuzzed answers: ${right} right, the latest verdict after ${number(latest)} ms`);
  if (latest > latestMs) throw new Error(`a verdict took ${number(latest)} ms`);
}

function percent(part: number, whole: number): string {
  return ((100 * part) / whole).toFixed(2);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 60);
}

/**
 * The held-out word problems and the embedded models.
 *
 * Owns: finding and reading them. Must not know: what is measured on them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Engine, type EngineOptions } from "thinktree";

import { root } from "./folders.js";

export interface WordProblem {
  readonly question: string;
  readonly answer: string;
  /** The share of the generator's own samples that are right, as measured when the file was made. */
  readonly pass1: number;
}

export interface ModelOptions {
  /** GGUF files instead of the embedded models. */
  readonly generator?: string | undefined;
  readonly verifier?: string | undefined;
  /** JSON lines of question, answer and pass1. Default: models/heldout.jsonl. */
  readonly questions?: string | undefined;
}

export function readProblems({ questions }: ModelOptions): WordProblem[] {
  const path = questions ?? join(root, "models", "heldout.jsonl");
  if (!existsSync(path)) throw new Error(`no questions at ${path}: name a file with --questions`);
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => {
    const { question, answer, pass1 } = JSON.parse(line) as {
      question: string;
      answer: string | number;
      pass1: number;
    };
    return { question, answer: String(answer), pass1 };
  });
}

export function loadModels({ generator, verifier }: ModelOptions, others: EngineOptions = {}): Promise<Engine> {
  return Engine.load({ ...others, ...(generator && { generator }), ...(verifier && { verifier }) });
}

/** Does `work` for every item, so many at a time, and keeps the results in order. */
export async function forEachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
) {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

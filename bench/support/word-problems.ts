/**
 * The held-out word problems and the embedded models.
 *
 * Owns: finding them. Must not know: what is measured on them.
 */
import { join } from "node:path";

import { Engine, type LoadOptions } from "thinktree";
import { readQuestions, type Question } from "#lib/evaluation/questions.js";

import { root } from "./folders.js";

export interface ModelOptions {
  /** GGUF files instead of the embedded models. */
  readonly generator?: string | undefined;
  readonly verifier?: string | undefined;
  /** JSON lines of question, answer and pass1. Default: models/heldout.jsonl. */
  readonly questions?: string | undefined;
}

/** Each with `other.pass1`, the share of the generator's own samples that are right, as measured when the file was made. */
export function readProblems({ questions }: ModelOptions, limit?: number): Promise<Question[]> {
  return readQuestions(questions ?? join(root, "models", "heldout.jsonl"), limit);
}

export function loadModels({ generator, verifier }: ModelOptions, others: LoadOptions = {}): Promise<Engine> {
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

/**
 * A search tree as it was grown: which branch goes on from which, and how far. What every engine of `replay` does again.
 *
 * Owns: the shape, its file, what must hold in it, and the sums over it. Must not know: engines, how it was found.
 *
 * A file has no tokens' ids: nobody's speed depends on them, and what can be forced is forced to random ones.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../support/folders.js";
import type { ShapeName } from "../gguf/shapes.js";

export interface RecordedTree {
  readonly name: string;
  /** Tokens of the prompt. */
  readonly prompt: number;
  /** Whether every step is scored by a verifier, which reads it and one tag. */
  readonly verified: boolean;
  /** How the model that wrote it was made; none: steps are as long as told. */
  readonly writer?: Writer;
  readonly rounds: readonly RecordedRound[];
}

export interface Writer {
  readonly shape: ShapeName;
  readonly stepLengths: readonly number[];
  readonly seed: number;
}

/** Every branch that writes in one round, in order. Who is no parent in the next round was pruned. */
export interface RecordedRound {
  /** Places in the round before; -1: the prompt. Children of one parent stand together. */
  readonly parents: readonly number[];
  /** Tokens of each branch's step. */
  readonly lengths: readonly number[];
  readonly scores?: readonly number[];
}

/** Children of one branch, forked from it together: places in the round. */
export interface Family {
  readonly parent: number;
  readonly first: number;
  readonly count: number;
}

const fileOf = (name: string) => join(root, "bench", "trees", `${name}.jsonl`);

export function readTree(name: string): RecordedTree {
  return parsed(readFileSync(fileOf(name), "utf8"));
}

export function writeTree(tree: RecordedTree): string {
  const path = fileOf(tree.name);
  writeFileSync(path, serialized(checked(tree)));
  return path;
}

/** JSON lines: what holds for the whole tree, then round by round. */
export function serialized({ rounds, ...rest }: RecordedTree): string {
  return [rest, ...rounds].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** @throws {Error} if the tree cannot have been grown */
export function parsed(text: string): RecordedTree {
  const [rest, ...rounds] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  return checked({ ...(rest as Omit<RecordedTree, "rounds">), rounds: rounds as RecordedRound[] });
}

/** N branches of one prompt, each as long as the others. */
export function bestOfTree(branches: number, length: number, prompt: number): RecordedTree {
  const round = { parents: repeated(-1, branches), lengths: repeated(length, branches) };
  return { name: `best-of-${branches}`, prompt, verified: false, rounds: [round] };
}

/** @throws {Error} if the tree cannot have been grown */
export function checked(tree: RecordedTree): RecordedTree {
  let before = 0;
  for (const [i, { parents, lengths, scores }] of tree.rounds.entries()) {
    const wrong = (what: string) => new Error(`${tree.name}, round ${i}: ${what}`);
    if (parents.length === 0 || lengths.length !== parents.length) throw wrong("needs a length for each branch");
    if (scores !== undefined && scores.length !== parents.length) throw wrong("needs a score for each branch");
    if (!lengths.every((length) => Number.isInteger(length) && length > 0)) throw wrong("a step has no tokens");
    const exists = (parent: number) => (i === 0 ? parent === -1 : parent >= 0 && parent < before);
    if (!parents.every(exists)) throw wrong("a parent was not in the round before");
    const families = familiesOf(tree.rounds[i]!);
    if (new Set(parents).size !== families.length) throw wrong("a parent's children do not stand together");
    before = parents.length;
  }
  if (before === 0) throw new Error(`${tree.name} has no rounds`);
  return tree;
}

export function familiesOf({ parents }: RecordedRound): Family[] {
  const families: { parent: number; first: number; count: number }[] = [];
  for (const [i, parent] of parents.entries()) {
    const last = families.at(-1);
    if (last?.parent === parent) last.count++;
    else families.push({ parent, first: i, count: 1 });
  }
  return families;
}

/** Tokens written, all branches and rounds together. */
export function tokensOf(tree: RecordedTree): number {
  return tree.rounds.reduce((total, { lengths }) => total + sum(lengths), 0);
}

export function widestOf(tree: RecordedTree): number {
  return Math.max(...tree.rounds.map(({ parents }) => parents.length));
}

/** Tokens from the prompt's first to the end of the longest path, with `tag` tokens after each step. */
export function longestPath({ prompt, rounds }: RecordedTree, tag = 0): number {
  let ends: number[] = [];
  let longest = prompt;
  for (const { parents, lengths } of rounds) {
    ends = lengths.map((length, i) => (ends[parents[i]!] ?? prompt) + length + tag);
    longest = Math.max(longest, ...ends);
  }
  return longest;
}

/** What bench/native/replay_bench.cpp reads. */
export function scheduleOf({ prompt, rounds }: RecordedTree): string {
  const lines = rounds.flatMap(({ parents, lengths }) => [
    `round ${parents.length}`,
    ...parents.map((parent, i) => `${parent} ${lengths[i]}`),
  ]);
  return [`prompt ${prompt}`, ...lines, ""].join("\n");
}

function repeated(value: number, count: number): number[] {
  return new Array<number>(count).fill(value);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

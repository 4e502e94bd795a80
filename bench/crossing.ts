/**
 * What it costs to cross from JavaScript into the engine and back.
 *
 * Owns: micro-benchmarks of the submit, of the answers and of the encoding, on the fake model, which costs next to
 * nothing itself. Must not know: models, strategies.
 */
import Benchmark from "benchmark";
import { Engine, type Tree, type TreeOptions } from "thinktree";
import { CommandBuffer } from "#lib/engine/codec.js";

import { number, print } from "./support/table.js";

const counts = [1, 16, 64, 256];
const treeOptions: TreeOptions = {
  ...{ prompt: "p", verifierPrompt: "p", seed: 1, steps: { delimiters: ["\n"] }, finalPrefix: "", stop: [] },
  ...{ tokenBudget: undefined, deadlineMs: undefined, maxLength: undefined },
  sampler: { temperature: 0.8, topK: 0, topP: 1, minP: 0 },
};

interface Case {
  readonly what: string;
  readonly commands: number;
  readonly run: () => Promise<unknown>;
}

export async function crossing(): Promise<void> {
  const engine = await Engine.load({ generator: { fake: {} }, verifier: null });
  const tree = await engine.openTree(treeOptions);
  const cases: Case[] = counts.flatMap((count) => [
    { what: "one way: fork and release", commands: 1 + count, run: () => forkAndRelease(tree, count) },
    { what: "there and back: ledgers", commands: count, run: () => Promise.all(times(count, () => tree.ledger())) },
    { what: "extend by a step (fake decodes included)", commands: 1 + 2 * count, run: () => grow(tree, count) },
    { what: "encoding alone", commands: count, run: async () => encode(new CommandBuffer(), count) },
  ]);
  const rows = [];
  for (const { what, commands, run } of cases) {
    const { mean, rme } = await measure(run);
    const each = (mean * 1e6) / commands;
    rows.push([what, String(commands), number(mean * 1e6), number(each), `${number(rme)}%`]);
  }
  const columns = ["", "commands in one microtask", "microseconds", "a command", "margin of error"];
  print({ title: "Crossing into the engine", columns, rows });
  await tree.close();
  await engine.close();
}

/** Nothing is answered: what is timed is encoding, the one submit, and reading it on the other side. */
async function forkAndRelease(tree: Tree, count: number): Promise<void> {
  tree.release(tree.fork(tree.root, count));
  await Promise.resolve(); // the microtask that submits was queued before
}

async function grow(tree: Tree, count: number): Promise<void> {
  const branches = tree.fork(tree.root, count);
  await tree.extend(branches);
  tree.release(branches);
}

function encode(buffer: CommandBuffer, count: number): unknown {
  for (let i = 0; i < count; i++) buffer.extend(i, i, 1, false, treeOptions.sampler);
  return buffer.take();
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function measure(run: () => Promise<unknown>): Promise<Benchmark.Stats> {
  return new Promise((resolve, reject) => {
    const benchmark = new Benchmark({
      defer: true,
      maxTime: 1,
      fn: (deferred: Benchmark.Deferred) => void run().then(() => deferred.resolve(), reject),
      onComplete: () => resolve(benchmark.stats),
    });
    benchmark.run({ async: true });
  });
}

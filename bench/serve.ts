/**
 * `thinktree serve`: many requests at once over HTTP, against the same searches through the library.
 *
 * Owns: the load, and what is made of the times. Must not know: how requests become searches.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { searchByName } from "#lib/server/model-names.js";
import { strategyByName } from "thinktree";

import { root, saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { number, print, spread } from "./support/table.js";
import { forEachOf, loadModels, readProblems, type ModelOptions } from "./support/word-problems.js";

export interface ServeOptions extends ModelOptions {
  readonly requests: number;
  readonly concurrency: number;
  readonly name: string;
  readonly rounds: number;
  readonly save?: string | undefined;
}

interface Round {
  readonly seconds: number;
  readonly tokens: number;
  /** Of each question, in milliseconds. */
  readonly latencies: readonly number[];
}

type Ask = (question: string, seed: number) => Promise<{ readonly tokens: number }>;

const ways = ["library", "server", "server, streamed"] as const;

/** The ways take turns; each has a process that does nothing else but hold the models. */
export async function serve(options: ServeOptions): Promise<void> {
  await warnIfBusy();
  const problems = await readProblems(options);
  const questions = Array.from({ length: options.requests }, (_, i) => problems[i % problems.length]!.question);
  await using engine = await loadModels(options);
  await using server = await startServer(options);
  const { strategy, generations = 16 } = searchByName(options.name);
  const made = strategy && strategyByName(strategy, { n: generations });
  const budget = { generations, milliseconds: 120_000 }; // as the server has it
  const asks: Record<(typeof ways)[number], Ask> = {
    library: async (question, seed) => {
      const { ledger } = await engine.solve(question, { strategy: made, budget, seed });
      return { tokens: ledger.generatedTokens };
    },
    server: (question, seed) => server.ask({ question, seed, model: options.name, stream: false }),
    "server, streamed": (question, seed) => server.ask({ question, seed, model: options.name, stream: true }),
  };
  const measured = ways.map((way) => ({ way, rounds: [] as Round[] }));
  const atRest: Awaited<ReturnType<typeof server.atRest>>[] = [];
  for (const ask of Object.values(asks)) await measure(ask, questions.slice(0, options.concurrency), options); // warm
  for (let round = 0; round < options.rounds; round++) {
    for (const { way, rounds } of measured) rounds.push(await measure(asks[way], questions, options));
    atRest.push(await server.atRest());
  }
  print({
    title: `${options.requests} requests to ${options.name}, ${options.concurrency} at once`,
    columns: ["way", "searches/s", "tokens/s", "p50 ms", "p95 ms", "p99 ms"],
    rows: measured.map(({ way, rounds }) => {
      const sorted = rounds.flatMap(({ latencies }) => latencies).sort((a, b) => a - b);
      const percentile = (share: number) => number(sorted[Math.ceil(share * sorted.length) - 1]!);
      return [
        way,
        spread(rounds.map(({ seconds, latencies }) => latencies.length / seconds)),
        spread(rounds.map(({ seconds, tokens }) => tokens / seconds)),
        ...[0.5, 0.95, 0.99].map(percentile),
      ];
    }),
  });
  const memory = atRest.map(({ residentMb }) => number(residentMb)).join(", ");
  const cells = atRest.map(({ kvCells }) => kvCells).join(", ");
  console.log(`\nThe server at rest after each round: ${memory} MB resident, ${cells} KV cells held.`);
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, measured, atRest })}`);
}

async function measure(ask: Ask, questions: readonly string[], { concurrency }: ServeOptions): Promise<Round> {
  const begun = performance.now();
  const answers = await forEachOf(questions, concurrency, async (question, i) => {
    const asked = performance.now();
    const { tokens } = await ask(question, i);
    return { tokens, latency: performance.now() - asked };
  });
  return {
    seconds: (performance.now() - begun) / 1_000,
    tokens: answers.reduce((sum, { tokens }) => sum + tokens, 0),
    latencies: answers.map(({ latency }) => latency),
  };
}

async function startServer({ generator, verifier, concurrency }: ServeOptions) {
  const files = [...(generator ? ["--generator", generator] : []), ...(verifier ? ["--verifier", verifier] : [])];
  const flags = ["--port", "0", "--log-level", "silent", "--searches", String(concurrency), "--total-n", "65536"];
  const program = join(root, "dist", "cli", "main.js");
  const child = spawn(process.execPath, [program, "serve", ...flags, ...files], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const address = /http:\/\/\S+/.exec(line.toString())![0];
  const url = `${address}/v1/chat/completions`;
  return {
    async ask({ question, ...more }: { question: string; seed: number; model: string; stream: boolean }) {
      const messages = [{ role: "user", content: question }];
      const body = JSON.stringify({ messages, ...more });
      const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return { tokens: Number(/"generatedTokens":(\d+),"coalescedTokens"/.exec(text)![1]) };
    },
    async atRest() {
      const text = await (await fetch(`${address}/metrics`)).text();
      const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
      const kvCells = value("thinktree_engine_kv_cells") + value("thinktree_engine_verifier_kv_cells");
      return { residentMb: value("process_resident_memory_bytes") / 1e6, kvCells };
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, "close");
    },
  };
}

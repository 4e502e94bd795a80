/**
 * The same searches with the models here and on llama.cpp's own servers, over loopback.
 *
 * Owns: the searches, and what is made of the times. Must not know: how a server is asked.
 */
import { beamSearch, bestOfN, Engine, type Strategy } from "thinktree";

import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { number, print, spread } from "./support/table.js";
import { TinyServers, tinyGenerator, tinyVerifier } from "./support/tiny-servers.js";
import { forEachOf, readProblems } from "./support/word-problems.js";

export interface RemoteBenchOptions {
  readonly limit: number;
  readonly n: number;
  readonly atOnce: number;
  readonly slots: number;
  readonly rounds: number;
  readonly save?: string | undefined;
}

interface Round {
  readonly seconds: number;
  readonly right: number;
  readonly tokens: number;
  readonly recomputed: number;
}

/** The two take turns. */
export async function remote(options: RemoteBenchOptions): Promise<void> {
  await warnIfBusy();
  const { n, rounds, limit, atOnce, slots } = options;
  const problems = await readProblems({}, limit);
  const servers = await TinyServers.start(slots);
  await using there = await Engine.connect(servers.options());
  await using here = await Engine.load({ generator: tinyGenerator, verifier: tinyVerifier });
  const engines = { here, there };
  const strategies = [bestOfN({ n, temperature: 0.5 }), beamSearch({ n, beamWidth: Math.min(4, n), temperature: 0.5 })];

  const measure = async (engine: Engine, strategy: Strategy): Promise<Round> => {
    const begun = performance.now();
    const answers = await forEachOf(problems, atOnce, ({ question }, seed) =>
      engine.solve(question, { strategy, seed }),
    );
    const sum = (of: (answer: (typeof answers)[number], i: number) => number) =>
      answers.reduce((total, answer, i) => total + of(answer, i), 0);
    return {
      seconds: (performance.now() - begun) / 1000,
      right: sum(({ answer }, i) => Number(answer === problems[i]!.answer)),
      tokens: sum(({ ledger }) => ledger.generatedTokens),
      recomputed: sum(({ ledger }) => ledger.recomputedTokens),
    };
  };
  const measured = strategies.flatMap((strategy) =>
    (["here", "there"] as const).map((where) => ({ strategy, where, rounds: [] as Round[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const one of measured) one.rounds.push(await measure(engines[one.where], one.strategy));
  }
  await servers.kill();
  print({
    title: `${limit} questions, ${atOnce} at once, n ${n}; servers of ${slots} slots`,
    columns: ["strategy", "models", "searches/s", "tokens/s", "tokens", "decoded again", "right"],
    rows: measured.map(({ strategy, where, rounds }) => [
      ...[strategy.name, where],
      spread(rounds.map(({ seconds }) => limit / seconds)),
      spread(rounds.map(({ seconds, tokens }) => tokens / seconds)),
      ...[number(rounds[0]!.tokens), number(rounds[0]!.recomputed), String(rounds[0]!.right)],
    ]),
  });
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, measured })}`);
}

/**
 * Beam search with its verifier: speed, and what it holds and decodes.
 *
 * Owns: the settings and the table. Must not know: how a search works.
 */
import { beamSearch, Engine, type Answer, type LoadOptions } from "thinktree";

import { randomModel, stepsOf } from "./gguf/random-model.js";
import { shapes, type ShapeName } from "./gguf/shapes.js";
import { textOf } from "./gguf/vocabulary.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { median } from "./support/statistics.js";
import { number, print, spread } from "./support/table.js";
import { loadModels, readProblems, type ModelOptions } from "./support/word-problems.js";

export interface SearchOptions extends ModelOptions {
  readonly shape: ShapeName;
  /** n/M pairs. */
  readonly beams: readonly (readonly [n: number, beamWidth: number])[];
  readonly prompt: number;
  readonly stepLength: number;
  readonly steps: number;
  readonly limit: number;
  /** Leave the embedded models out. */
  readonly randomOnly?: boolean | undefined;
  readonly save?: string | undefined;
}

interface Measured {
  readonly name: string;
  readonly answers: Answer[];
  readonly milliseconds: number[];
}

export async function search(options: SearchOptions): Promise<void> {
  await warnIfBusy();
  const { shape, beams, prompt, stepLength, steps, limit } = options;
  const model = await randomModel({ shape: shapes[shape], type: "Q8_0", stepLengths: stepsOf(stepLength) });
  const measured: Measured[] = [];
  const onRandom = { generator: model, verifier: { path: model, recipe: "likelihood" } } as const;
  await withEngine(onRandom, async (engine) => {
    for (const [n, beamWidth] of beams) {
      const strategy = beamSearch({ n, beamWidth, maxRounds: steps });
      const name = `${shape}, ${n}/${beamWidth}, ${steps} steps of ${stepLength}`;
      measured.push(await measure(name, engine, new Array<string>(limit).fill(textOf(prompt)), strategy));
    }
  });
  if (options.randomOnly !== true) {
    const questions = await readProblems(options, 10 * limit);
    await using engine = await loadModels(options);
    for (const [n, beamWidth] of beams) {
      const texts = questions.map(({ question }) => question);
      measured.push(await measure(`embedded, ${n}/${beamWidth}`, engine, texts, beamSearch({ n, beamWidth })));
    }
  }
  print(table(measured));
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, measured })}`);
}

/** One question after the other: what a single user waits for. */
async function measure(name: string, engine: Engine, questions: string[], strategy: ReturnType<typeof beamSearch>) {
  const measured: Measured = { name, answers: [], milliseconds: [] };
  for (const [i, question] of questions.entries()) {
    const begun = performance.now();
    measured.answers.push(await engine.solve(question, { strategy, seed: 1 + i }));
    measured.milliseconds.push(performance.now() - begun);
  }
  return measured;
}

function table(measured: readonly Measured[]) {
  const rows = measured.map(({ name, answers, milliseconds }) => {
    const ledgers = answers.map(({ ledger }) => ledger);
    const sum = (read: (ledger: Answer["ledger"]) => number) => ledgers.reduce((total, l) => total + read(l), 0);
    const seconds = milliseconds.reduce((total, ms) => total + ms, 0) / 1000;
    const cells = median(ledgers.map((l) => l.kvCellsPeak));
    const live = median(ledgers.map((l) => l.treeTokensPeak));
    return [
      name,
      number(sum((l) => l.generatedTokens) / seconds),
      number(sum((l) => l.generatedTokens + l.verifierTokens) / seconds),
      spread(milliseconds),
      number(sum((l) => l.generatedTokens) / ledgers.length),
      `${number(cells)} / ${number(live)} = ${(cells / live).toFixed(3)}`,
      (sum((l) => l.verifierTokens) / sum((l) => l.generatedTokens)).toFixed(3),
      String(sum((l) => l.recomputedTokens)),
    ];
  });
  const columns = ["beam search, n/M", "generated tokens/s", "with verifier's", "ms a question", "tokens a question"];
  const exact = ["KV cells / live tree tokens", "verifier / step tokens", "recomputed"];
  return { title: "Beam search with its verifier, one question at a time", columns: [...columns, ...exact], rows };
}

async function withEngine(options: LoadOptions, use: (engine: Engine) => Promise<void>): Promise<void> {
  await using engine = await Engine.load(options);
  await use(engine);
}

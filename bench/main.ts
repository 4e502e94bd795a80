/**
 * `npm run bench`: every benchmark in turn, in about ten minutes; `npm run bench -- decode --branches 16,64`: one.
 *
 * Owns: the command line. Must not know: how anything is measured.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { Command, InvalidArgumentError } from "commander";
import { strategyNames, type Aggregation, type MathMode, type StrategyName } from "thinktree";
import { mathModes } from "#lib/grading/math-grader.js";

import { accuracy, type AccuracyOptions } from "./accuracy.js";
import { crossing } from "./crossing.js";
import { decode, prefixWays, samplerNames, type DecodeOptions } from "./decode.js";
import { randomModel, stepsOf, writeRandomModel } from "./gguf/random-model.js";
import { shapeNames, shapes, type ShapeName } from "./gguf/shapes.js";
import type { WeightType } from "./gguf/weights.js";
import { grading, type GradingOptions } from "./grading.js";
import { isolation, type IsolationBenchOptions } from "./isolation.js";
import { record, type RecordOptions } from "./record.js";
import { remote, type RemoteBenchOptions } from "./remote.js";
import { contenderNames, replay, type ReplayOptions } from "./replay.js";
import { rollouts, type RolloutsBenchOptions } from "./rollouts.js";
import { sampler } from "./sampler.js";
import { search, type SearchOptions } from "./search.js";
import { serve, type ServeOptions } from "./serve.js";
import { soak, type SoakOptions } from "./soak.js";
import { solved, type SolvedOptions } from "./solved.js";
import { step, type StepOptions } from "./step.js";

const program = new Command("bench").description("thinktree's benchmarks; see bench/README.md");
const types = ["Q8_0", "F16"] as const satisfies readonly WeightType[];

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("a whole number is wanted");
  return value;
}

const counts = (text: string) => text.split(",").map(count);

function oneOf<T extends string>(...names: readonly T[]) {
  return (text: string): T => {
    const name = names.find((name) => name === text);
    if (name === undefined) throw new InvalidArgumentError(`use one of ${names.join(", ")}`);
    return name;
  };
}

function someOf<T extends string>(...names: readonly T[]) {
  return (text: string): T[] => text.split(",").map(oneOf(...names));
}

function beams(text: string): [number, number][] {
  return text.split(",").map((pair) => {
    const [n, width] = pair.split("/").map(count);
    if (!n || !width) throw new InvalidArgumentError("n/M pairs are wanted, such as 16/4,64/4");
    return [n, width];
  });
}

const command = (name: string, description: string) => program.command(name).description(description);
const saves = (made: Command) => made.option("--save <name>", "write the raw figures to bench/results/NAME.json");
const models = (made: Command) =>
  saves(made)
    .option("--generator <file>", "a GGUF file instead of the embedded generator")
    .option("--verifier <file>", "a GGUF file instead of the embedded verifier")
    .option("--questions <file>", "JSON lines of question, answer, pass1 (default: models/heldout.jsonl)");
const shaped = (made: Command) =>
  made.option("--shape <name>", shapeNames.join(", "), oneOf(...shapeNames), "0.5b" satisfies ShapeName);

saves(shaped(command("decode", "thinktree against node-llama-cpp: many continuations of one prompt")))
  .option("--type <type>", types.join(", "), oneOf(...types), "Q8_0")
  .option("--branches <list>", "continuations", counts, [1, 4, 16, 63, 64])
  .option("--samplers <list>", samplerNames.join(", "), someOf(...samplerNames), ["plain"])
  .option("--prompt <tokens>", "tokens of the prompt", count, 512)
  .option("--length <tokens>", "tokens of each continuation", count, 64)
  .option("--rounds <count>", "measurements of each", count, 3)
  .option("--threads <count>", "default: one a core", count)
  .option("--prefix <list>", `how node-llama-cpp shares the prompt: ${prefixWays.join(", ")}`, someOf(...prefixWays), [
    "copy",
  ])
  .action((options: DecodeOptions) => decode(options));

saves(shaped(command("replay", "the same search trees on thinktree and its rivals")))
  .option("--trees <list>", "best-of-N, or names in bench/trees", (text) => text.split(","), [
    "best-of-16",
    "best-of-64",
    "beam-64-4",
  ])
  .option("--contenders <list>", contenderNames.join(", "), someOf(...contenderNames), contenderNames)
  .option("--all-ways", "every way that each contender has, not the fastest alone")
  .option("--prompt <tokens>", "tokens of the prompt of best-of-N", count, 512)
  .option("--length <tokens>", "tokens of each of its branches", count, 64)
  .option("--rounds <count>", "measurements of each", count, 3)
  .option("--threads <count>", "default: one a core", count)
  .action((options: ReplayOptions) => replay(options));

shaped(command("record", "record search trees for replay into bench/trees"))
  .option("--beams <list>", "n/M pairs", beams, [[64, 4]])
  .option("--rounds <count>", "steps of a solution", count, 8)
  .option("--prompt <tokens>", "tokens of the prompt", count, 512)
  .option("--seed <number>", "of the search", count, 1)
  .option("--limit <count>", "questions of the real searches whose steps' lengths are taken", count, 40)
  .action((options: RecordOptions) => record(options));

saves(
  shaped(command("step", "one decode step of many branches, against llama.cpp's ways and its matrix products alone")),
)
  .option("--prompts <list>", "tokens of the prompt", counts, [512])
  .option("--own <list>", "tokens that each branch has of its own", counts, [256])
  .option("--branches <list>", "branches", counts, [16, 64])
  .option("--ways <list>", "of llama.cpp's ways, those to measure; default: all", (text) => text.split(","))
  .option("--rounds <count>", "measurements of each", count, 7)
  .option("--threads <count>", "default: one a core", count)
  .action((options: StepOptions) => step(options));

command("crossing", "what a call into the engine costs").action(crossing);

saves(command("isolation", "an engine in a process of its own: what it costs, and what kills do to it"))
  .option("--rounds <count>", "measurements of each, by turns", count, 10)
  .option("--limit <count>", "questions a round", count, 10)
  .option("--kills <count>", "searches whose engine is killed", count, 50)
  .action((options: IsolationBenchOptions) => isolation(options));

saves(command("rollouts", "step labels by rollouts: what sharing the solutions' tree saves"))
  .option("--rounds <count>", "measurements of each, by turns", count, 5)
  .option("--limit <count>", "questions a round", count, 20)
  .option("--solutions <count>", "sampled of each question", count, 16)
  .option("--rollouts <count>", "sampled from each of their steps", count, 16)
  .action((options: RolloutsBenchOptions) => rollouts(options));

saves(command("remote", "the same searches with the models here and on llama.cpp's own servers"))
  .option("--limit <count>", "questions", count, 24)
  .option("--n <count>", "solutions of each", count, 16)
  .option("--at-once <count>", "searches", count, 1)
  .option("--slots <count>", "of each server", count, 16)
  .option("--rounds <count>", "measurements of each, by turns", count, 3)
  .action((options: RemoteBenchOptions) => remote(options));

command("sampler", "the native sampler against simpler ones").action(sampler);

models(shaped(command("search", "beam search with its verifier: speed, KV cells, verifier tokens")))
  .option("--beams <list>", "n/M pairs", beams, [
    [16, 4],
    [64, 4],
  ])
  .option("--prompt <tokens>", "tokens of the prompt", count, 256)
  .option("--step-length <tokens>", "tokens of a step", count, 16)
  .option("--steps <count>", "steps of a solution", count, 4)
  .option("--limit <count>", "questions; ten times as many on the embedded models", count, 3)
  .option("--random-only", "leave the embedded models out")
  .action((options: SearchOptions) => search(options));

models(command("soak", "many solves and cancellations in one process: does anything stay behind?"))
  .option("--solves <count>", "questions after the warm-up", count, 1000)
  .option("--warm-up <count>", "questions before memory is first read", count, 200)
  .option("--cancellations <count>", "questions cancelled at random moments", count, 100)
  .option("--concurrency <count>", "questions at once", count, 8)
  .option("--generations <count>", "budget of each question", count, 16)
  .option("--seed <number>", "of the cancellations", count, 1)
  .action((options: SoakOptions) => soak(options));

models(command("serve", "requests over HTTP against the same work through the library"))
  .option("--requests <count>", "questions", count, 256)
  .option("--concurrency <count>", "at once", count, 64)
  .option("--name <model>", "the search, as the server names it", "thinktree-beam-16")
  .option("--rounds <count>", "measurements of each", count, 3)
  .action((options: ServeOptions) => serve(options));

models(command("accuracy", "which method answers how many held-out questions, at what cost"))
  .option("--limit <count>", "questions", count, 200)
  .option("--n <list>", "solutions a question", counts, [4, 16, 64])
  .option("--strategies <list>", strategyNames.join(", "), someOf<StrategyName>(...strategyNames), strategyNames)
  .option(
    "--aggregation <name>",
    "of step scores; default: the verifier's own",
    oneOf<Aggregation>("last", "min", "product", "mean"),
  )
  .option("--branches <count>", "branches at once, over all questions", count, 64)
  .option("--seed <number>", "of the samples", count, 1)
  .action((options: AccuracyOptions) => accuracy(options));

models(command("solved", "right answers a minute, end to end"))
  .option("--limit <count>", "questions", count, 100)
  .option("--rounds <count>", "measurements of each", count, 3)
  .option("--branches <count>", "branches at once, over all questions", count, 64)
  .action((options: SolvedOptions) => solved(options));

command("grading", "the grader of mathematics against published labels, and on answers made by chance")
  .option("--recorded <folder>", "solutions with labels", "../shared/data/recorded")
  .option("--modes <list>", mathModes.join(", "), someOf<MathMode>(...mathModes), [...mathModes])
  .option("--list <count>", "disagreements to print", count, 20)
  .option("--fuzz <count>", "answers made by chance", count, 10_000)
  .option("--seed <number>", "of them", count, 1)
  .action((options: GradingOptions) => grading(options));

shaped(command("gguf", "make a model file with random weights"))
  .option("--type <type>", types.join(", "), oneOf(...types), "Q8_0")
  .option("--step-length <tokens>", "tokens of a step; 0: no steps", count, 0)
  .option("--seed <number>", "of the weights", count, 1)
  .option("--out <file>", "default: in bench/.cache")
  .action(async (options: { shape: ShapeName; type: WeightType; stepLength: number; seed: number; out?: string }) => {
    const { type, seed } = options;
    const model = { type, seed, shape: shapes[options.shape], stepLengths: stepsOf(options.stepLength) };
    if (options.out !== undefined) await writeRandomModel(options.out, model);
    console.log(options.out ?? (await randomModel(model)));
  });

command("all", "every benchmark at sizes that together take about ten minutes").action(() => {
  const each = [
    "crossing",
    "sampler",
    "decode --branches 16,64 --rounds 2",
    "search --limit 1",
    "accuracy --limit 100 --n 4,16",
    "soak --solves 200 --warm-up 50 --cancellations 50",
  ];
  for (const line of each) {
    console.log(`\n# ${line}`);
    const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...line.split(" ")], {
      stdio: "inherit",
    });
    if (status !== 0) process.exitCode = 1;
  }
});

await program.parseAsync(process.argv.length > 2 ? process.argv : [...process.argv, "all"]).catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});

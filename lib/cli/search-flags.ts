/**
 * The flags of every command that searches: strategy, sampling, models.
 *
 * Owns: these flags and their help; which strategy and models they mean.
 * Must not know: what the commands do.
 */
import { InvalidArgumentError, Option, type Command } from "commander";

import { embeddedModel } from "../engine/embedded.js";
import type { Adapter } from "../engine/options.js";
import { ThinkTreeError } from "../errors.js";
import type { Engine } from "../scheduler/engine.js";
import type { ModelOptions } from "../scheduler/model-options.js";
import { aggregationOf } from "../scheduler/recipe.js";
import type { StepRule } from "../scheduler/step-rule.js";
import {
  strategyByName,
  strategyNames,
  type Strategy,
  type StrategyName,
  type StrategySettings,
} from "../strategies/index.js";
import { aggregations } from "../verifiers/aggregation.js";
import { checkLoraFlags, loraOption, type LoraFlags } from "./lora-flag.js";
import { stepsOption } from "./steps-flag.js";
import { decimal, wholeNumber } from "./values.js";

export interface StrategyFlags extends StrategySettings {
  readonly strategy?: StrategyName;
}

export interface SamplingFlags {
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
}

export interface ModelFlags extends LoraFlags {
  readonly generator?: string;
  readonly generatorRecipe?: string;
  readonly system?: string;
  readonly steps?: StepRule;
  /** False: --no-verifier. */
  readonly verifier?: string | false;
  readonly verifierRecipe?: string;
  readonly verifierVotes?: number;
  readonly verifierReference?: string;
  readonly draft?: string;
  readonly cacheFolder?: string;
  readonly kvCells?: number;
  readonly kvMib?: number;
  readonly kvType?: "f16" | "q8_0";
  readonly threads?: number;
  readonly gpuLayers?: number;
  readonly policy?: string;
  readonly forcePolicy?: true;
}

export const strategiesHelp = `
Strategies:
  majority            the answer most of n solutions agree on; no verifier
  best-of-n           the best-scored of n solutions
  weighted-best-of-n  the answer with the largest sum of scores
  beam                keep the best n / beam-width steps, continue each of them
  lookahead           beam search whose steps are judged by where they lead
  dvts                n / beam-width beam searches that do not compete
  revisions           n / length chains of attempts, each seeing those before it
  revise-survivors    a beam search, then a revision of each solution found
  beam-after-attempt  an attempt, then a beam search over its revision`;

const mostBranches = 65_536;
const branches = wholeNumber(1, mostBranches);
const share = "a number above 0, up to 1";

export function addPolicyFlags(command: Command): Command {
  return command
    .option("--policy <file.json>", "from calibrate (default: the embedded models' own, else the paper's)", fileName)
    .option("--force-policy", "take it although it was fitted for other models");
}

export function addStrategyFlags(command: Command): Command {
  command
    .optionsGroup("Search:")
    .addOption(
      new Option("--strategy <name>", "see below (default: the policy chooses, within n solutions)").choices(
        strategyNames,
      ),
    )
    .option("--n <count>", "solutions to search among (default: 16)", branches, 16);
  return addPolicyFlags(command)
    .option("--beam-width <count>", "continuations of each kept step (default: 4)", branches)
    .option("--work-ahead", "beams that end a step early begin their next one meanwhile; the same answer, other time")
    .option("--lookahead <steps>", "steps to look ahead (default: 1)", wholeNumber(0, mostBranches))
    .option("--length <attempts>", "of a chain of revisions (default: up to sqrt(n))", branches)
    .addOption(
      new Option("--select <by>", "among revisions: verifier or majority (default: verifier)").choices([
        ...(["verifier", "majority"] as const satisfies StrategySettings["select"][]),
      ]),
    )
    .addOption(
      new Option(
        "--aggregation <how>",
        "of a solution's step scores: last, min, product or mean (default: the verifier's own)",
      ).choices(aggregations),
    );
}

export function addSamplingFlags(command: Command, usual = "the policy's, 0.8 for models without one"): Command {
  return command
    .optionsGroup("Sampling:")
    .option(
      "--temperature <t>",
      `0 is greedy (default: ${usual})`,
      decimal("a number from 0 to 100", (t) => t >= 0 && t <= 100),
    )
    .option("--top-k <count>", "keep the likeliest tokens (default: 0, all)", wholeNumber(0, 2 ** 31 - 1))
    .option(
      "--top-p <share>",
      "keep this share of probability (default: 1)",
      decimal(share, (p) => p > 0 && p <= 1),
    )
    .option(
      "--min-p <share>",
      "drop tokens less likely than this share of the likeliest (default: 0)",
      decimal("a number from 0, below 1", (p) => p >= 0 && p < 1),
    );
}

export function addModelFlags(command: Command): Command {
  return command
    .optionsGroup("Models:")
    .option(
      "--generator <file.gguf>",
      "writes the steps; here as below, hf:user/repo:quant is fetched (default: the embedded model)",
      fileName,
    )
    .option(
      "--generator-recipe <name>",
      "how it is asked: math, general, reasoning, completion or a JSON file (default: by the model)",
      fileName,
    )
    .option("--system <text>", "what it is told besides the question (default: as the recipe says)")
    .addOption(stepsOption())
    .option(
      "--verifier <file.gguf>",
      "scores them; a reward head alone: the generator's own states (default: the embedded one with the embedded generator)",
      fileName,
    )
    .option("--no-verifier", "load none: majority needs none")
    .option(
      "--verifier-recipe <name|file.json>",
      "how it reads a solution: likelihood, math-shepherd, ... (default: as the file says or is called)",
      fileName,
    )
    .option("--verifier-votes <count>", "of a judge (genprm, thinkprm) on each step (default: 1)", wholeNumber(1, 256))
    .option(
      "--verifier-reference <file.gguf>",
      "the model that an implicit PRM was trained from, as EurusPRM needs it",
      fileName,
    )
    .option(
      "--draft <file.gguf>",
      "a smaller model of the same vocabulary, for speed where few texts are written",
      fileName,
    )
    .addOption(loraOption("generator", "a LoRA adapter on its weights; more may be named, and add up (scale: 1)"))
    .addOption(loraOption("verifier", "the same; verifier and generator may be one file, which is loaded once"))
    .addOption(loraOption("draft", "the same"))
    .option("--cache-folder <folder>", "where fetched models are kept (default: ~/.cache/thinktree)", fileName)
    .option("--kv-cells <count>", "size of each model's cache (default: 16384)", wholeNumber(64, 1 << 20))
    .option(
      "--kv-mib <count>",
      "memory of all caches instead, in MiB, split by the models' sizes",
      wholeNumber(1, 1 << 20),
    )
    .addOption(new Option("--kv-type <type>", "of the caches' numbers (default: f16)").choices(["f16", "q8_0"]))
    .option("--threads <count>", "of each model (default: by its size)", wholeNumber(1, 512))
    .option("--gpu-layers <count>", "of each model on the GPU, if there is one (default: all)", wholeNumber(0, 10_000));
}

/** @throws {ThinkTreeError} INVALID_OPTION: a strategy's own flags without a strategy. */
export function checkStrategyFlags(flags: StrategyFlags): void {
  const own = (["beamWidth", "workAhead", "lookahead", "length", "select", "aggregation"] as const).find(
    (name) => flags[name] !== undefined,
  );
  if (flags.strategy === undefined && own !== undefined) {
    throw new ThinkTreeError("INVALID_OPTION", `the policy chooses ${own}: leave it out, or name a --strategy`);
  }
  if (flags.strategy !== undefined) strategyOf(flags.strategy, flags);
}

/** Whether the flags name a verifier, or leave the embedded one in its place. */
export function hasVerifier({ generator, verifier }: ModelFlags): boolean {
  return verifier !== false && (generator === undefined || verifier !== undefined);
}

/** @throws {ThinkTreeError} NO_VERIFIER: the strategy needs one. */
export function engineOptions(
  flags: ModelFlags,
  strategy: StrategyName | undefined,
): NonNullable<Parameters<typeof Engine.load>[0]> {
  const { verifier, draft, cacheFolder, kvCells, kvMib, kvType, threads, gpuLayers, policy, forcePolicy } = flags;
  if (strategy !== undefined && strategy !== "majority" && !hasVerifier(flags)) {
    const mend = verifier === false ? "leave --no-verifier out" : "name one with --verifier FILE.gguf";
    throw new ThinkTreeError("NO_VERIFIER", `${strategy} needs a verifier: ${mend}, or use --strategy majority`);
  }
  checkLoraFlags(flags, { generator: true, verifier: hasVerifier(flags), draft: draft !== undefined });
  // A vote asks no verifier, so the embedded one is not loaded for it.
  const wanted = verifier === false || (verifier === undefined && strategy === "majority") ? null : verifier;
  return {
    ...modelsOf(flags, wanted),
    ...(draft !== undefined && { draft: { path: draft, ...layersAndAdapters(gpuLayers, flags.draftLora) } }),
    ...(cacheFolder !== undefined && { cacheFolder }),
    ...(kvCells !== undefined && { kvCells }),
    ...(kvMib !== undefined && { kvMib }),
    ...(kvType !== undefined && { kvType }),
    ...(threads !== undefined && { threads }),
    ...(policy !== undefined && { policy }),
    ...(forcePolicy && { forcePolicy }),
  };
}

/** Layers, adapters and recipes are a named file's: with them the embedded models are named too. */
function modelsOf(
  flags: ModelFlags,
  verifier: string | null | undefined,
): Pick<ModelOptions, "generator" | "verifier"> {
  const { generator, generatorRecipe: recipe, system, steps, verifierRecipe, verifierReference, gpuLayers } = flags;
  const asked = {
    ...(recipe !== undefined && { recipe }),
    ...(system !== undefined && { system }),
    ...(steps !== undefined && { steps }),
    ...layersAndAdapters(gpuLayers, flags.generatorLora),
  };
  const read = {
    ...(verifierRecipe !== undefined && { recipe: verifierRecipe }),
    ...(verifierReference !== undefined && {
      reference: { path: verifierReference, ...layersAndAdapters(gpuLayers, undefined) },
    }),
    ...(flags.verifierVotes !== undefined && { votes: flags.verifierVotes }),
    ...layersAndAdapters(gpuLayers, flags.verifierLora),
  };
  const judge = verifier === undefined && generator === undefined ? embeddedModel("tiny-strong") : verifier;
  const path = generator ?? embeddedModel("tiny-generator");
  if (Object.keys(asked).length + Object.keys(read).length === 0) {
    return { ...(generator !== undefined && { generator }), ...(verifier !== undefined && { verifier }) };
  }
  return { generator: { path, ...asked }, verifier: judge == null ? null : { path: judge, ...read } };
}

function layersAndAdapters(gpuLayers: number | undefined, adapters: readonly Adapter[] | undefined) {
  return { ...(gpuLayers !== undefined && { gpuLayers }), ...(adapters && { adapters }) };
}

/**
 * Before the models are loaded, to tell mistakes early, and after, with the verifier's own aggregation.
 * @throws {ThinkTreeError} INVALID_OPTION
 */
export function strategyOf(name: StrategyName, flags: StrategyFlags, models?: Partial<Engine["models"]>): Strategy {
  return strategyByName(name, settingsOf(name, flags, models));
}

/** What `strategyOf` makes the strategy of. */
export function settingsOf(
  name: StrategyName,
  { n, beamWidth, workAhead, lookahead, length, select, aggregation, temperature }: StrategyFlags,
  { verifier }: Partial<Engine["models"]> = {},
): StrategySettings {
  const chosen = aggregation ?? (verifier && name !== "majority" ? aggregationOf(verifier) : undefined);
  return {
    n,
    ...(beamWidth !== undefined && { beamWidth }),
    ...(workAhead !== undefined && { workAhead }),
    ...(lookahead !== undefined && { lookahead }),
    ...(length !== undefined && { length }),
    ...(select !== undefined && { select }),
    ...(chosen !== undefined && { aggregation: chosen }),
    ...(temperature !== undefined && { temperature }),
  };
}

function fileName(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Name a file.");
}

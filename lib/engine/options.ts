/**
 * What an engine is made of.
 *
 * Owns: the options' names, defaults and checks.
 * Must not know: trees, strategies.
 */
import { z } from "zod";

import { parseOptions } from "../errors.js";
import { embeddedModel } from "./embedded.js";
import { judgeRules, type JudgeRules } from "./judge-rules.js";

const count = z.number().int().positive();

/** A deterministic toy model for tests: no weights, faults to order. See native/backend/fake/fake_backend.h. */
const fakeModel = z.strictObject({
  fake: z.strictObject({
    cells: count.optional(),
    batch: count.optional(),
    sequences: count.max(256).optional(),
    positions: count.optional(),
    vocab: count.min(258).optional(),
    decodeMicroseconds: count.optional(),
    failEvery: count.optional(),
    throwEvery: count.optional(),
    poisonToken: count.optional(),
    nanAfterToken: count.optional(),
    strayEvery: count.optional(),
    crashAtDecode: count.optional(),
    hangAtDecode: count.optional(),
    crashOnToken: count.optional(),
    faultFile: z.string().optional(),
  }),
});

const mostAdapters = 16;
const mostScale = 100;

const adapter = z.union([
  z.string().min(1),
  z.strictObject({
    path: z.string().min(1),
    /** -100 to 100, the file's own alpha besides; 0: no change. Default 1. */
    scale: z.number().min(-mostScale).max(mostScale).optional(),
  }),
]);

/** A LoRA in a GGUF file, by path, and how much of it is added to the model's weights. */
export type Adapter = Readonly<z.infer<typeof adapter>>;

const modelFile = z.strictObject({
  path: z.string().min(1),
  /** At most 16; their changes add up. Models of one file have its weights in common, each with its own adapters. */
  adapters: z.array(adapter).max(mostAdapters).readonly().optional(),
  /** Layers on the GPU, if the build has one; -1: all; 0: the model uses no GPU at all. Default -1. */
  gpuLayers: z.number().int().min(-1).optional(),
});

/** Templates: special tokens are recognised in them, "{k}" is the step's number. `trims`: blanks before the step's text go. */
const frame = z.strictObject({ before: z.string(), after: z.string(), trims: z.boolean().optional() });

const reading = z.strictObject({
  kind: z.enum(["likelihood", "ratio", "pair", "head"]),
  words: z.enum(["own", "joined", "apart"]),
  first: frame,
  next: frame,
  probe: z.string().optional(),
  oneLine: z.boolean().optional(),
  beforeLast: z.boolean().optional(),
  beyond: z.number().int().nonnegative().optional(),
  end: z.string().optional(),
  /** Of a ratio. */
  beta: z.number().positive().optional(),
  /** Of a pair: texts of single tokens. */
  positive: z.string().optional(),
  negative: z.string().optional(),
  /** Of a head: its sidecar file, how its outputs become a score, and which of them. */
  head: z.string().optional(),
  activation: z.enum(["sigmoid", "softmax"]).optional(),
  classes: z.array(z.number().int().nonnegative()).optional(),
});

const verification = z
  .strictObject({
    /** How a step is put and its score read: native/scheduler/reading.h. Default: its likelihood. */
    reading: z.discriminatedUnion("kind", [reading, judgeRules]),
    /** Instead of what the file says of itself in `ModelInfo.recipe`. */
    recipe: z.record(z.string(), z.string()),
    /** Of a ratio, and of nothing else: the model that the verifier is compared with. */
    reference: z.union([modelFile, fakeModel]),
  })
  .partial();

/** No model: a head on the states that the generator has anyhow. */
const generatorsOwn = z.strictObject({
  onGenerator: z.literal(true),
  reading: reading.extend({ kind: z.literal("head"), words: z.literal("own"), head: z.string() }),
  recipe: z.record(z.string(), z.string()).optional(),
});

const drafting = z
  .strictObject({
    /** Tokens guessed at a time at most, 1 to 16; default 4. */
    tokens: count.max(16),
    /** Texts being written at once up to which guessing is worth it; default 4. */
    branches: count.max(256),
  })
  .partial();

/** How it is asked, instead of what the file says of itself in `ModelInfo.recipe`. */
const asking = z.strictObject({ recipe: z.record(z.string(), z.string()) }).partial();

const isolation = z
  .strictObject({
    hangMilliseconds: count.min(100).max(3_600_000),
    restarts: z.number().int().min(0).max(1000),
  })
  .partial();

const generator = z.union([z.string().min(1), modelFile.extend(asking.shape), fakeModel]);
const verifier = z
  .union([z.string().min(1), modelFile.extend(verification.shape), fakeModel.extend(verification.shape), generatorsOwn])
  .refine(
    (model) =>
      typeof model === "string" ||
      "onGenerator" in model ||
      (model.reading?.kind === "ratio") === (model.reference !== undefined),
    {
      path: ["reference"],
      message: "a ratio needs a reference model, and no other reading takes one",
    },
  );
const draft = z.union([z.string().min(1), modelFile.extend(drafting.shape), fakeModel.extend(drafting.shape)]);

const schema = z
  .strictObject({
    generator: generator.optional(),
    verifier: verifier.nullable().optional(),
    draft: draft.optional(),
    kvCells: count
      .min(64)
      .max(1 << 20)
      .optional(),
    kvMib: count.max(1 << 20).optional(),
    kvType: z.enum(["f16", "q8_0"]).optional(),
    threads: count.max(512).optional(),
    batch: count.min(256).max(8192).optional(),
    stockKernels: z.boolean().optional(),
    isolation: z.union([z.literal("process"), isolation]).optional(),
  })
  .refine(({ kvCells, kvMib }) => kvCells === undefined || kvMib === undefined, {
    path: ["kvMib"],
    message: "leave it out, or kvCells: either says how large the caches are",
  });

export interface EngineOptions {
  /** A GGUF file, by path. Default: the embedded generator. */
  readonly generator?: z.infer<typeof generator>;
  /** A GGUF file and how it is read; null: none. Default: the embedded verifier with the embedded generator, else none. */
  readonly verifier?: z.infer<typeof verifier> | null;
  /**
   * A smaller GGUF file of the generator's own vocabulary, which guesses what the generator will draw while few texts are
   * written, so that a decode may give several tokens. Texts and scores are the same with it and without. A search with a
   * budget of floating-point operations does not use it. A recurrent or hybrid model can be neither. Default: none.
   */
  readonly draft?: z.infer<typeof draft> | undefined;
  /**
   * KV cells of each model's cache, 64 to 1,048,576; default 16384. More searches fit; attention pays for those in use. A
   * recurrent or hybrid model has a state for every 256 of them, at least one and at most 256.
   */
  readonly kvCells?: number;
  /**
   * Memory of all models' caches together instead, in MiB, 1 to 1,048,576: cells in proportion to sqrt(parameters / bytes a
   * cell), so that the least work is lost where it is too small for a search. `models.generator.kvCells` says what became of it.
   */
  readonly kvMib?: number;
  /** How KV cells hold their numbers: q8_0 takes 17/32 of the memory of f16, at some loss of precision. Default f16. */
  readonly kvType?: "f16" | "q8_0";
  /** Threads of each model; default: one a core, but a single one for models too small to share. */
  readonly threads?: number;
  /** Tokens of one decode at most, 256 to 8192; default 512. */
  readonly batch?: number;
  /**
   * llama.cpp's own attention, and sampling on the CPU, in place of thinktree's kernels: to compare them, or where a GPU does
   * not get along with ours. Default false.
   */
  readonly stockKernels?: boolean;
  /**
   * Runs the models in a process of their own, so that a crash, a kill or a hang there is an error here and not the end of
   * this process: "process", or how. Default: in this process. See docs/isolation.md.
   */
  readonly isolation?: "process" | IsolationOptions | undefined;
}

export interface IsolationOptions {
  /** Without a sign of life from the engine for so long while it works, it is taken for hung: 100 to 3,600,000; default 60,000. */
  readonly hangMilliseconds?: number | undefined;
  /**
   * Its process is started again after it has died, but no more than so many times in a row without one result between:
   * 0 to 1,000; default 5. Then the engine fails for good.
   */
  readonly restarts?: number | undefined;
}

type Resolved = object & {
  readonly path?: string;
  readonly onGenerator?: true;
  readonly reading?: z.infer<typeof reading> | JudgeRules | undefined;
  readonly adapters?: readonly AdapterFile[] | undefined;
  readonly recipe?: Readonly<Record<string, string>> | undefined;
  readonly reference?: Resolved | undefined;
};

export interface ResolvedOptions {
  /** The addon's. */
  readonly engine: {
    readonly generator: Resolved;
    readonly verifier: Resolved | undefined;
    readonly draft: object | undefined;
  };
  /** Undefined: the engine runs in this process. */
  readonly isolation: Required<{ [Key in keyof IsolationOptions]: number }> | undefined;
}

interface AdapterFile {
  readonly path: string;
  readonly scale: number;
}

export interface ModelFile {
  readonly path: string;
  readonly adapters: readonly AdapterFile[];
}

/** Where the models lie; null: a fake one. */
export interface ModelFiles {
  readonly generator: ModelFile | null;
  readonly verifier: ModelFile | null | undefined;
  readonly reference: ModelFile | null | undefined;
}

export function modelFiles({ engine: { generator, verifier } }: ResolvedOptions): ModelFiles {
  const fileOf = ({ path, adapters = [], onGenerator, reading }: Resolved) => {
    if (onGenerator && reading?.kind === "head") return { path: reading.head!, adapters };
    return path === undefined ? null : { path, adapters };
  };
  const reference = verifier?.reference;
  return {
    generator: fileOf(generator),
    verifier: verifier && fileOf(verifier),
    reference: reference && fileOf(reference),
  };
}

/** Undefined: the verifier reads, or there is none. */
export function judgeOf({ engine: { verifier } }: ResolvedOptions): JudgeRules | undefined {
  return verifier?.reading?.kind === "judge" ? verifier.reading : undefined;
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function resolveOptions(options: EngineOptions): ResolvedOptions {
  const { generator, verifier, draft, isolation, ...rest } = parseOptions(schema, options);
  const defaultVerifier = generator === undefined ? embeddedModel("tiny-strong") : null;
  const engine = {
    ...rest,
    generator: flatten(generator ?? embeddedModel("tiny-generator"))!,
    verifier: flatten(verifier === undefined ? defaultVerifier : verifier),
    draft: flatten(draft ?? null),
  };
  return { engine, isolation: isolation && resolveIsolation(isolation) };
}

function resolveIsolation(isolation: "process" | IsolationOptions): ResolvedOptions["isolation"] {
  const { hangMilliseconds = 60_000, restarts = 5 } = isolation === "process" ? {} : isolation;
  return { hangMilliseconds, restarts };
}

type Named = z.infer<typeof generator> | z.infer<typeof verifier> | z.infer<typeof draft>;

function flatten(model: Named | null): Resolved | undefined {
  if (model === null) return undefined;
  if (typeof model === "string") return { path: model };
  const { reference, ...own } = { reference: undefined, ...model };
  const resolved = reference === undefined ? {} : { reference: flatten(reference)! };
  if ("path" in own) return { ...own, adapters: own.adapters?.map(adapterFile), ...resolved };
  if ("onGenerator" in own) return own;
  const { fake, ...others } = own;
  return { ...fake, ...others, ...resolved };
}

function adapterFile(adapter: Adapter): AdapterFile {
  return typeof adapter === "string" ? { path: adapter, scale: 1 } : { path: adapter.path, scale: adapter.scale ?? 1 };
}

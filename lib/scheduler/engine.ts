/**
 * The public handle: an engine that answers questions.
 *
 * Owns: the joining of the engine's handles with `solve`, and which policy it is given.
 * Must not know: how either works.
 */
import { fileURLToPath } from "node:url";

import type { EngineStats, LoadedModels } from "../engine/addon.js";
import type { Core } from "../engine/core.js";
import { EngineCore } from "../engine/engine-core.js";
import type { ModelFile } from "../engine/options.js";
import type { Tree, TreeOptions } from "../engine/tree.js";
import type { RemoteOptions } from "./connect.js";
import type { Question } from "./conversation.js";
import { defaultPolicy } from "./default-policy.js";
import { fingerprintOf } from "./fingerprint.js";
import { engineOptionsOf, type ModelOptions } from "./model-options.js";
import { assertFits, readPolicy, type Policy } from "./policy.js";
import { scoreSolution, type ScoredSolution, type ScoreOptions } from "./score.js";
import { solve } from "./solve.js";
import { QuestionSearch } from "./question-search.js";
import { solveAll, type SolveAllOptions } from "./solve-all.js";
import { checkOptions, type Answer, type SolveOptions } from "./solve-options.js";

const embeddedPolicy = fileURLToPath(new URL("../../models/policy.json", import.meta.url));

/** SHA-256 of a part of each model's file and its adapters'; a fake model's is "fake", a server's "remote:" and its name there. */
export interface Fingerprints {
  readonly generator: string;
  readonly verifier: string | null;
}

interface PolicyOptions {
  /** What `thinktree calibrate` wrote, or its path. Default: the embedded models' own, else the paper's findings. */
  readonly policy?: string | Policy | undefined;
  /** Take the policy even if it was fitted for other models. Default false. */
  readonly forcePolicy?: boolean | undefined;
}

export interface LoadOptions extends ModelOptions, PolicyOptions {}

export interface ConnectOptions extends RemoteOptions, PolicyOptions {}

export class Engine implements AsyncDisposable {
  /**
   * Loads the models; without options the embedded ones.
   * @throws {ThinkTreeError} INVALID_OPTION (also a policy for other models), MODEL_LOAD_FAILED, UNSUPPORTED_MODEL; of the
   * hub's models DOWNLOAD_FAILED, CANCELLED
   */
  static async load(options: LoadOptions = {}): Promise<Engine> {
    const { policy, forcePolicy = false, ...others } = options;
    const core = await EngineCore.load(await engineOptionsOf(others));
    try {
      const fingerprints = await fingerprintsOf(core);
      return new Engine(core, fingerprints, await policyFor(fingerprints, policy, forcePolicy));
    } catch (error) {
      await core.close();
      throw error;
    }
  }

  /**
   * An engine whose models are on servers that speak OpenAI's completions API (vLLM, SGLang, llama.cpp's): the same searches,
   * scheduled here. See docs/remote.md for what is not possible then.
   * @throws {ThinkTreeError} REMOTE_FAILED; INVALID_OPTION: also a recipe that a server cannot be read by; UNSUPPORTED_MODEL
   */
  static async connect({ policy, forcePolicy = false, ...servers }: ConnectOptions): Promise<Engine> {
    const { connectCore } = await import("./connect.js"); // HTTP is not for who loads models
    const core = await connectCore(servers);
    try {
      return new Engine(core, core.fingerprints, await policyFor(core.fingerprints, policy, forcePolicy));
    } catch (error) {
      await core.close();
      throw error;
    }
  }

  private constructor(
    private readonly core: Core,
    readonly fingerprints: Fingerprints,
    /** What a search without a strategy goes by. */
    readonly policy: Policy,
  ) {}

  get models(): LoadedModels {
    return this.core.models;
  }

  /**
   * Searches for the answer to a question, or to the last turn of a chat. Many calls may be under way at once; they share
   * the engine's batches.
   * @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, INVALID_OPTION, NO_VERIFIER, CANCELLED, ENGINE_CLOSED, DECODE_FAILED;
   * where models are on servers REMOTE_FAILED
   */
  solve(question: Question, options?: SolveOptions): Promise<Answer> {
    return solve(this.core, this.policy, question, options);
  }

  /**
   * Answers many questions out of one budget, which goes where the policy expects most of it.
   * @throws {ThinkTreeError} as `solve`; one question's failure is everyone's
   */
  solveAll(questions: readonly string[], options: SolveAllOptions): Promise<Answer[]> {
    return solveAll(this.core, this.policy, questions, options);
  }

  /**
   * The verifier's scores of a solution, given as its steps. Many calls at once share the engine's batches.
   * @throws {ThinkTreeError} NO_VERIFIER, INVALID_OPTION, EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED
   */
  score(question: string, steps: readonly string[], options?: ScoreOptions): Promise<ScoredSolution> {
    return scoreSolution(this.core, question, steps, options);
  }

  /** The generator's hidden state at the question's end, after its last norm: one number a unit of its width. One prefill. */
  async hiddenState(question: string): Promise<Float32Array> {
    await using search = await QuestionSearch.open(this.core, question, checkOptions({ seed: 0 }, this.policy));
    return await search.hiddenState();
  }

  /** A tree to search by hand: see SearchTree. Close it when done. */
  openTree(options: TreeOptions): Promise<Tree> {
    return this.core.openTree(options);
  }

  /** Where the engine's time has gone, and what it holds now. */
  stats(): EngineStats {
    return this.core.stats();
  }

  /** Ends everything; open calls fail with ENGINE_CLOSED. Resolves when all memory is freed. May be called again. */
  close(): Promise<void> {
    return this.core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function fingerprintsOf({ files }: EngineCore): Promise<Fingerprints> {
  const of = async (file: ModelFile | null | undefined) =>
    file === null ? "fake" : file && (await fingerprintOf(file));
  const [generator, verifier, reference] = await Promise.all([
    files.generator === null ? "fake" : fingerprintOf(files.generator),
    of(files.verifier),
    of(files.reference),
  ]);
  // What an implicit PRM says depends on both of its models.
  return { generator, verifier: (reference ? `${verifier} ${reference}` : verifier) ?? null };
}

/** A policy that was named must fit; the embedded one is only tried. */
async function policyFor(models: Fingerprints, policy: LoadOptions["policy"], force: boolean): Promise<Policy> {
  if (policy !== undefined) {
    const named = typeof policy === "string" ? await readPolicy(policy) : policy;
    assertFits(named, models, force);
    return named;
  }
  const embedded = await readPolicy(embeddedPolicy).catch(() => undefined);
  const fits = embedded?.models?.generator === models.generator && embedded.models.verifier === models.verifier;
  return fits ? embedded : defaultPolicy(models.verifier !== null);
}

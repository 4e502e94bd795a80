/**
 * What an engine is made of, as a person names it.
 *
 * Owns: which options there are for models; what becomes of them before the engine sees them.
 * Must not know: recipes' insides, how files come over a network.
 */
import type { EngineOptions } from "../engine/options.js";
import { hubModel, type HubOptions } from "../models/hub.js";
import { isHubName } from "../models/hub-name.js";
import { readGenerator, type GeneratorFile } from "./generator-file.js";
import { readVerifier, type VerifierFile } from "./verifier-recipe.js";

type Fake = Extract<EngineOptions["verifier"], { fake: unknown }>;

/** Wherever a model is named by a path, hf:user/repo:quant and hf:user/repo/file.gguf name one of the hub. */
export interface ModelOptions extends Omit<EngineOptions, "generator" | "verifier">, HubOptions {
  /** A GGUF file, by path, and how it is asked. Default: the embedded generator. */
  readonly generator?: string | GeneratorFile | Fake | undefined;
  /**
   * A GGUF file, by path, and the recipe that it is read by; null: none. Default: the embedded verifier with the embedded
   * generator, else none.
   */
  readonly verifier?: string | VerifierFile | Fake | null | undefined;
}

/** Whether a model has to be looked for on the hub. */
export function namesHub({ generator, verifier, draft }: ModelOptions): boolean {
  return [generator, verifier, draft].some((model) => isHubName(pathOf(model) ?? ""));
}

/**
 * With the hub's models on this machine, fetched if they are not yet, one after the other.
 * @throws {ThinkTreeError} INVALID_OPTION, DOWNLOAD_FAILED, CANCELLED: see hubModel
 */
export async function withFiles(options: ModelOptions): Promise<ModelOptions> {
  const { cacheFolder, signal, onDownload, generator, verifier, draft, ...others } = options;
  async function local<T extends Named>(model: T): Promise<T> {
    const name = pathOf(model);
    if (name === undefined || !isHubName(name)) return model;
    const path = await hubModel(name, { cacheFolder, signal, onDownload });
    return (typeof model === "string" ? path : { ...(model as object), path }) as T;
  }
  return {
    ...others,
    ...(generator !== undefined && { generator: await local(generator) }),
    ...(verifier !== undefined && { verifier: await local(verifier) }),
    ...(draft !== undefined && { draft: await local(draft) }),
  };
}

/**
 * What the engine is told: files of this machine, and what recipes say in the place of their names.
 * @throws {ThinkTreeError} INVALID_OPTION: no such recipe, or no head for it; UNSUPPORTED_MODEL: a chat template that fails;
 * and as `withFiles`
 */
export async function engineOptionsOf(options: ModelOptions): Promise<EngineOptions> {
  const { generator, verifier, ...others } = await withFiles(options);
  const asks = generator === undefined || isFake(generator) ? generator : await readGenerator(generator);
  const scores = verifier == null || isFake(verifier) ? verifier : await readVerifier(verifier);
  return {
    ...others,
    ...(asks !== undefined && { generator: asks }),
    ...(scores !== undefined && { verifier: scores }),
  };
}

type Named = string | { readonly path: string } | { readonly fake: unknown } | null | undefined;

function pathOf(model: Named): string | undefined {
  if (typeof model === "string") return model;
  return model != null && "path" in model ? model.path : undefined;
}

function isFake(model: string | object): model is Fake {
  return typeof model === "object" && "fake" in model;
}

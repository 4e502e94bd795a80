/**
 * What an engine is made of, as a person names it.
 *
 * Owns: which options there are for models; what becomes of them before the engine sees them.
 * Must not know: recipes' insides, how files come over a network.
 */
import { fileReader } from "../engine/file-reader.js";
import type { Adapter, EngineOptions } from "../engine/options.js";
import { hubModel, type HubOptions } from "../models/hub.js";
import { isHubName } from "../models/hub-name.js";
import { readGenerator, type GeneratorFile } from "./generator-file.js";
import { readVerifier, type VerifierFile } from "./verifier-recipe.js";

type Fake = Extract<EngineOptions["verifier"], { fake: unknown }>;

/** Wherever a model or an adapter is named by a path, hf:user/repo:quant and hf:user/repo/file.gguf name one of the hub. */
export interface ModelOptions extends Omit<EngineOptions, "generator" | "verifier">, HubOptions {
  /** A GGUF file, by path, and how it is asked. Default: the embedded generator. */
  readonly generator?: string | GeneratorFile | Fake | undefined;
  /**
   * A GGUF file, by path, and the recipe that it is read by; null: none. Default: the embedded verifier with the embedded
   * generator, else none.
   */
  readonly verifier?: string | VerifierFile | Fake | null | undefined;
}

/** Whether a file has to be looked for on the hub. */
export function namesHub({ generator, verifier, draft }: ModelOptions): boolean {
  return [generator, verifier, referenceOf(verifier), draft]
    .flatMap((model) => [model, ...(adaptersOf(model) ?? [])])
    .some((file) => isHubName(pathOf(file) ?? ""));
}

/**
 * With the hub's models on this machine, fetched if they are not yet, one after the other.
 * @throws {ThinkTreeError} INVALID_OPTION, DOWNLOAD_FAILED, CANCELLED: see hubModel
 */
export async function withFiles(options: ModelOptions): Promise<ModelOptions> {
  const { cacheFolder, signal, onDownload, generator, verifier, draft, ...others } = options;
  async function localFile<T extends Named>(file: T): Promise<T> {
    const name = pathOf(file);
    if (name === undefined || !isHubName(name)) return file;
    const path = await hubModel(name, { cacheFolder, signal, onDownload });
    return (typeof file === "string" ? path : { ...(file as object), path }) as T;
  }
  async function local<T extends Named>(model: T): Promise<T> {
    const file = await localFile(model);
    const named = adaptersOf(file);
    if (named === undefined) return file;
    const adapters: Adapter[] = [];
    for (const adapter of named) adapters.push(await localFile(adapter));
    return { ...(file as object), adapters } as unknown as T;
  }
  async function withReference(model: ModelOptions["verifier"]): Promise<ModelOptions["verifier"]> {
    const reference = referenceOf(model);
    return reference === undefined ? model : { ...(model as VerifierFile), reference: await local(reference) };
  }
  return {
    ...others,
    ...(generator !== undefined && { generator: await local(generator) }),
    ...(verifier !== undefined && { verifier: await local(await withReference(verifier)) }),
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
  const reader = fileReader(options.isolation && "process");
  const asks = generator === undefined || isFake(generator) ? generator : await readGenerator(generator, reader);
  const scores = verifier == null || isFake(verifier) ? verifier : await readVerifier(verifier, reader);
  return {
    ...others,
    ...(asks !== undefined && { generator: asks }),
    ...(scores !== undefined && { verifier: scores }),
  };
}

type File = { readonly path: string; readonly adapters?: readonly Adapter[] | undefined };
type Named = string | File | { readonly fake: unknown } | null | undefined;

function pathOf(model: Named): string | undefined {
  if (typeof model === "string") return model;
  return model != null && "path" in model ? model.path : undefined;
}

function adaptersOf(model: Named): readonly Adapter[] | undefined {
  return typeof model === "object" && model !== null && "path" in model ? model.adapters : undefined;
}

/** None of a fake verifier's, which is no file. */
function referenceOf(model: ModelOptions["verifier"]): VerifierFile["reference"] {
  return model == null || typeof model === "string" || isFake(model) ? undefined : model.reference;
}

function isFake(model: string | object): model is Fake {
  return typeof model === "object" && "fake" in model;
}

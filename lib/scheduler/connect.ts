/**
 * Models on servers, as a person names them.
 *
 * Owns: which options there are for them; what recipes and the server's own words make of them; what a server cannot do.
 * Must not know: how servers are asked, searches.
 */
import { z } from "zod";

import type { LoadedModels, ModelInfo } from "../engine/addon.js";
import { parseOptions, ThinkTreeError } from "../errors.js";
import { Completions } from "../remote/completions.js";
import { Endpoint } from "../remote/endpoint.js";
import { RemoteCore, type VerifierEngine } from "../remote/remote-core.js";
import { servedModel, type ServedModel } from "../remote/served-model.js";
import type { VerifierRecipe } from "../verifiers/recipe.js";
import { readGenerator } from "./generator-file.js";
import type { GeneratorRecipe } from "./generator-recipe.js";
import type { StepRule } from "./step-rule.js";
import { readRemoteVerifier } from "./remote-recipe.js";

/** A server that speaks OpenAI's completions API, with log-probabilities: vLLM, SGLang, llama.cpp's. */
export interface RemoteModel {
  /** With or without the /v1 at its end. */
  readonly url: string;
  /** By the server's name for it. Default: the only one that is served. */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** The model's chat template, in Jinja. Default: llama.cpp's server tells it; else none. */
  readonly template?: string | undefined;
  /** Tokens that a text may have, where the server does not say. */
  readonly contextTokens?: number | undefined;
}

export interface RemoteGenerator extends RemoteModel {
  /** As a generator's file: see GeneratorFile. Default: by the chat template and the model's name, else completion. */
  readonly recipe?: string | GeneratorRecipe | undefined;
  readonly system?: string | undefined;
  readonly steps?: StepRule | undefined;
}

export interface RemoteVerifier extends RemoteModel {
  /** As a verifier's file: see VerifierFile. It must read a pair of tokens. Default: by the model's name. */
  readonly recipe?: string | VerifierRecipe | undefined;
}

export interface RemoteOptions {
  readonly generator: RemoteGenerator;
  /**
   * On a server, which may be the generator's; or an engine that is loaded here, whose verifier may then be of any kind and which
   * is not closed with this one. Default: none.
   */
  readonly verifier?: RemoteVerifier | VerifierEngine | null | undefined;
  /** Requests at once to each server, 1 to 4,096; others wait here. Default: the slots of llama.cpp's server; else 64. */
  readonly concurrency?: number | undefined;
  /**
   * The longest silence of a server, before an answer begins and within it, 1 to 3,600,000; default 60,000. Then the request is
   * begun again.
   */
  readonly timeoutMilliseconds?: number | undefined;
  /** How often in a row a request is begun again after a failure that may pass, 0 to 100; default 5. */
  readonly retries?: number | undefined;
}

const server = {
  url: z.string(),
  model: z.string().min(1).optional(),
  apiKey: z.string().optional(),
  template: z.string().optional(),
  contextTokens: z.number().int().positive().optional(),
};
const generator = z.strictObject({
  ...server,
  recipe: z.unknown().optional(),
  system: z.string().optional(),
  steps: z.unknown().optional(),
});
const verifier = z.strictObject({ ...server, recipe: z.unknown().optional() });
const schema = z.strictObject({
  generator,
  verifier: verifier.optional(),
  concurrency: z.number().int().min(1).max(4096).optional(),
  timeoutMilliseconds: z.number().int().min(1).max(3_600_000).default(60_000),
  retries: z.number().int().min(0).max(100).default(5),
});

const usualConcurrency = 64;

/**
 * Asks the servers what they serve.
 * @throws {ThinkTreeError} REMOTE_FAILED; INVALID_OPTION: also a recipe that a server cannot be read by; UNSUPPORTED_MODEL
 */
export async function connectCore(options: RemoteOptions): Promise<RemoteCore> {
  const { generator, verifier } = options;
  const here = verifier && "openTree" in verifier ? verifier : undefined;
  const served = verifier && !("openTree" in verifier) ? verifier : undefined;
  const { concurrency, timeoutMilliseconds, retries } = parseOptions(schema, { ...options, verifier: served });
  if (here && here.models.verifier === undefined) {
    throw new ThinkTreeError("NO_VERIFIER", "the engine that is to verify has no verifier");
  }
  const endpoints = new Map<string, Endpoint>();
  const endpointOf = ({ url, apiKey }: RemoteModel) => {
    const made = new Endpoint({
      url,
      apiKey,
      concurrency: concurrency ?? usualConcurrency,
      timeoutMilliseconds,
      retries,
    });
    const key = JSON.stringify([made.address, apiKey]); // one server's requests have one limit
    if (!endpoints.has(key)) endpoints.set(key, made);
    return endpoints.get(key)!;
  };
  const failed = new AbortController();
  try {
    const [writes, scores] = await Promise.all([
      connectGenerator(generator, endpointOf(generator), failed.signal),
      served ? connectVerifier(served, endpointOf(served), failed.signal) : undefined,
    ]);
    for (const { model, slots } of [writes, ...(scores ? [scores] : [])]) {
      if (concurrency === undefined && slots !== null) await model.endpoint.limit(slots);
    }
    const info = scores?.info ?? here?.models.verifier;
    const models: LoadedModels = { generator: writes.info, ...(info && { verifier: info }) };
    return new RemoteCore({ models, generator: writes.model, verifier: scores ?? here });
  } catch (error) {
    failed.abort();
    await Promise.all([...endpoints.values()].map((endpoint) => endpoint.close()));
    throw error;
  }
}

async function connectGenerator(options: RemoteGenerator, endpoint: Endpoint, signal: AbortSignal) {
  const served = await servedModel(endpoint, options.model, signal);
  const { recipe, system, steps } = options;
  const file = { path: served.name, recipe, system, steps };
  const asked = await readGenerator(file, { metadataTexts: () => Promise.resolve(metadataOf(served, options)) });
  return {
    ...{ model: new Completions(endpoint, served.name, served.isLlamaCpp), slots: served.slots },
    info: infoOf(served, options, endpoint.address, asked.recipe ?? {}),
  };
}

async function connectVerifier(options: RemoteVerifier, endpoint: Endpoint, signal: AbortSignal) {
  const served = await servedModel(endpoint, options.model, signal);
  const { reading, recipe } = await readRemoteVerifier(options.recipe, served.name, metadataOf(served, options));
  const model = new Completions(endpoint, served.name, served.isLlamaCpp);
  return {
    model,
    slots: served.slots,
    reading,
    info: { ...infoOf(served, options, endpoint.address, recipe), reading: "pair" as const },
  };
}

/** As a GGUF file says it. The server's tokenizer puts the first token before a text by itself. */
function metadataOf({ name, chatTemplate, eos }: ServedModel, { template }: RemoteModel) {
  const known = template ?? chatTemplate;
  return new Map([
    ["general.name", name],
    ["tokenizer.ggml.eos_token_id", eos],
    ...(known === null ? [] : [["tokenizer.chat_template", known] as const]),
  ]);
}

function infoOf(
  { positions, parameters }: ServedModel,
  { contextTokens }: RemoteModel,
  address: string,
  recipe: Readonly<Record<string, string>>,
): ModelInfo {
  const held = contextTokens ?? positions;
  if (held === null) {
    const line = `contextTokens: ${address} does not tell how long a text may be: name it`;
    throw new ThinkTreeError("INVALID_OPTION", line);
  }
  return { parameters, positions: held, recipe, vocabulary: 0, kvCells: 0, width: 0, weightBytes: 0 };
}

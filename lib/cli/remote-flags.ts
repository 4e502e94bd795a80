/**
 * The flags that name models on servers, and the engine that the flags of models mean: here or there.
 *
 * Owns: these flags and their help; which of the other flags have no meaning with them.
 * Must not know: what the commands do.
 */
import { readFile } from "node:fs/promises";
import { InvalidArgumentError, type Command } from "commander";

import { ThinkTreeError } from "../errors.js";
import { Engine, type ConnectOptions, type LoadOptions } from "../scheduler/engine.js";
import type { StrategyName } from "../strategies/index.js";
import type { Interruption } from "./interruption.js";
import { loadModels } from "./models.js";
import type { ProgressView } from "./progress-view.js";
import { engineOptions, type ModelFlags } from "./search-flags.js";

export interface RemoteFlags {
  readonly remote?: string;
  readonly remoteModel?: string;
  readonly remoteVerifier?: string;
  readonly remoteVerifierModel?: string;
  readonly template?: string;
}

export function addRemoteFlags(command: Command): Command {
  return command
    .optionsGroup("Models on servers (vLLM, SGLang, llama.cpp's; see docs/remote.md):")
    .option("--remote <url>", "writes the steps; a key for it may be in THINKTREE_REMOTE_KEY", address)
    .option("--remote-model <name>", "of several that it serves")
    .option("--template <file>", "its chat template, in Jinja (default: llama.cpp's server tells it)")
    .option("--remote-verifier <url>", "scores them; it may be the same server", address)
    .option("--remote-verifier-model <name>", "of several that it serves");
}

export type EngineSource = { readonly load: LoadOptions } | { readonly connect: ConnectOptions };

/** @throws {ThinkTreeError} INVALID_OPTION: flags that do not go together; NO_VERIFIER: the strategy needs one */
export async function engineSource(
  flags: ModelFlags & RemoteFlags,
  strategy: StrategyName | undefined,
): Promise<EngineSource> {
  const { remote, remoteModel, remoteVerifier, remoteVerifierModel, template } = flags;
  if (remote === undefined) {
    const own = { remoteModel, remoteVerifier, remoteVerifierModel, template };
    const [alone] = Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : [flagOf(name)]));
    if (alone === undefined) return { load: engineOptions(flags, strategy) };
    throw new ThinkTreeError("INVALID_OPTION", `${alone} is of a generator on a server: name its --remote URL`);
  }
  const local = onlyHere.find((name) => typeof flags[name] !== "undefined" && flags[name] !== false);
  if (local !== undefined) {
    const line = `${flagOf(local)} is of models that are loaded here: leave it out, or --remote`;
    throw new ThinkTreeError("INVALID_OPTION", line);
  }
  if (strategy !== undefined && strategy !== "majority" && remoteVerifier === undefined) {
    const line = `${strategy} needs a verifier: name one with --remote-verifier URL, or use --strategy majority`;
    throw new ThinkTreeError("NO_VERIFIER", line);
  }
  const { generatorRecipe, system, steps, verifierRecipe, policy, forcePolicy } = flags;
  const apiKey = process.env["THINKTREE_REMOTE_KEY"];
  const generator = { url: remote, model: remoteModel, apiKey, recipe: generatorRecipe, system, steps };
  const verifier = { url: remoteVerifier!, model: remoteVerifierModel, apiKey, recipe: verifierRecipe };
  return {
    connect: {
      generator: { ...generator, template: template === undefined ? undefined : await textOf(template) },
      verifier: remoteVerifier === undefined ? null : verifier,
      ...{ policy, forcePolicy },
    },
  };
}

/** Loads what is here, or connects. */
export function openEngine(source: EngineSource, progress: ProgressView, interruption: Interruption): Promise<Engine> {
  if ("load" in source) return loadModels(source.load, (local) => Engine.load(local), progress, interruption);
  return progress.during("connecting", () => Engine.connect(source.connect));
}

const onlyHere = [
  ...(["generator", "generatorLora", "verifier", "verifierLora", "verifierVotes", "verifierReference"] as const),
  ...(["draft", "draftLora", "cacheFolder", "kvCells", "kvMib", "kvType", "threads", "gpuLayers"] as const),
] satisfies (keyof ModelFlags)[];

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

function address(text: string): string {
  if (/^https?:\/\//.test(text)) return text;
  throw new InvalidArgumentError("Use http://host:port.");
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new ThinkTreeError("INVALID_OPTION", `--template ${file}: ${(cause as Error).message}`, { cause });
  });
}

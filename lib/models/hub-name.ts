/**
 * Names of models on the hub: hf:user/repo:quant and hf:user/repo/file.gguf.
 *
 * Owns: reading such a name; which of a repository's files it means.
 * Must not know: how files come from there.
 */
import { ThinkTreeError } from "../errors.js";
import { headBeside } from "./heads.js";

export interface HubName {
  /** As it was given. */
  readonly name: string;
  /** user/repo */
  readonly repository: string;
  readonly revision: string;
  /** A file of the repository, by path. */
  readonly file?: string;
  /** Such as Q4_K_M: part of the file's name. */
  readonly quantisation?: string;
}

/** Taken where a repository has it and the name says nothing. */
const usualQuantisation = "Q4_K_M";

export function isHubName(name: string): boolean {
  return name.startsWith("hf:");
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function parseHubName(name: string): HubName {
  const word = "[A-Za-z0-9_][A-Za-z0-9_.-]*";
  const match = new RegExp(`^hf:(${word}/${word})(?::(${word})|/([^#]+\\.gguf)(?:#([^#]+))?)?$`).exec(name);
  const [, repository, quantisation, file, revision = "main"] = match ?? [];
  if (repository === undefined || (file !== undefined && !isInside(file))) {
    const ways = "hf:user/repo:quant, hf:user/repo/file.gguf or hf:user/repo/file.gguf#revision";
    throw new ThinkTreeError("INVALID_OPTION", `"${name}" names no model: write ${ways}`);
  }
  return { name, repository, revision, ...(file && { file }), ...(quantisation && { quantisation }) };
}

/** Whether a path stays in the folder that it is below: a listing may say anything. */
export function isInside(path: string): boolean {
  return !/[\\:\0]/.test(path) && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The one that is meant, of a split model the first part; undefined: none, or it is not clear which. */
export function fileOf({ file, quantisation }: HubName, paths: readonly string[]): string | undefined {
  if (file !== undefined) return paths.find((path) => path === file);
  const models = modelsAmong(paths);
  if (quantisation !== undefined) return only(withQuantisation(models, quantisation));
  return only(withQuantisation(models, usualQuantisation)) ?? only(models);
}

/** All files of the model whose first is `path`: the other parts of a split one, and the reward head beside it. */
export function filesWith(path: string, paths: readonly string[]): { parts: string[]; head: string | undefined } {
  const head = headBeside(path);
  const [, stem, count] = firstPart.exec(path) ?? [];
  const parts = Array.from({ length: Number(count ?? 1) }, (_, i) =>
    stem === undefined ? path : `${stem}-${String(i + 1).padStart(5, "0")}-of-${count!}.gguf`,
  );
  return { parts, head: paths.includes(head) ? head : undefined };
}

/** What a person may name instead. */
export function choices({ repository }: HubName, paths: readonly string[]): string {
  const models = modelsAmong(paths).map((path) => `hf:${repository}/${path}`);
  return models.length === 0 ? "it has no GGUF file" : `it has ${models.join(", ")}`;
}

const firstPart = /^(.*)-00001-of-(\d{5})\.gguf$/;

/** Not heads, other parts, matrices of importance, or what reads pictures. */
function modelsAmong(paths: readonly string[]): string[] {
  return paths
    .filter((path) => path.endsWith(".gguf") && !path.endsWith(".head.gguf"))
    .filter((path) => !/-\d{5}-of-\d{5}\.gguf$/.test(path) || firstPart.test(path))
    .filter((path) => !/(^|[/._-])(mmproj|imatrix)/i.test(path));
}

function withQuantisation(paths: readonly string[], quantisation: string): string[] {
  const escaped = quantisation.replaceAll(/[.-]/g, "\\$&");
  const word = new RegExp(`(^|[./_-])${escaped}([./-]|$)`, "i");
  return paths.filter((path) => word.test(path));
}

function only(paths: readonly string[]): string | undefined {
  return paths.length === 1 ? paths[0] : undefined;
}

/**
 * The flags that put LoRA adapters on a model.
 *
 * Owns: their words; which model has them. Must not know: other flags of models.
 */
import { InvalidArgumentError, Option } from "commander";

import type { Adapter } from "../engine/options.js";
import { ThinkTreeError } from "../errors.js";

const roles = ["generator", "verifier", "draft"] as const;
type Role = (typeof roles)[number];

export type LoraFlags = Readonly<Partial<Record<`${Role}Lora`, readonly Adapter[]>>>;

export function loraOption(role: Role, words: string): Option {
  return new Option(`--${role}-lora <file[:scale]>`, words).argParser(collect);
}

/** The flag may be given again. A file's name may have a colon, but hardly one before a number at its end. */
function collect(words: string, before: readonly Adapter[] = []): readonly Adapter[] {
  const [, path = words, scale] = /^(.*):([-+]?(?:\d+\.?\d*|\.\d+))$/s.exec(words) ?? [];
  if (path === "" || path.endsWith(":")) throw new InvalidArgumentError("Name a file, and after a colon a scale.");
  return [...before, scale === undefined ? path : { path, scale: Number(scale) }];
}

/**
 * Each needs the model that it is for, else it would be left out in silence.
 * @throws {ThinkTreeError} INVALID_OPTION
 */
export function checkLoraFlags(flags: LoraFlags, loaded: Readonly<Record<Role, boolean>>): void {
  const alone = roles.find((role) => flags[`${role}Lora`] !== undefined && !loaded[role]);
  if (alone === undefined) return;
  const same = alone === "verifier" ? ", which may be the generator's own file" : "";
  throw new ThinkTreeError(
    "INVALID_OPTION",
    `--${alone}-lora is for a ${alone}: name it with --${alone} FILE.gguf${same}`,
  );
}

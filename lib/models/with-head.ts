/**
 * A GGUF file, and beside it the reward head that belongs to it, if one does.
 *
 * Owns: their names; a head as GGUF; that both are there whole, or neither. Must not know: what they are made of.
 */
import { rename, rm } from "node:fs/promises";

import { ThinkTreeError } from "../errors.js";
import type { Part } from "./backbone.js";
import { writeGguf, type Metadata, type Tensor } from "./gguf.js";
import { headArchitecture, headBeside, type Head, type RecipeName } from "./heads.js";

interface Contents {
  readonly metadata: Metadata;
  readonly tensors: readonly Tensor[];
}

/** Where `out`, NAME or NAME.gguf, goes. */
export function filesOf(out: string): { readonly model: string; readonly head: string } {
  return { model: out.replace(/(\.gguf)?$/, ".gguf"), head: headBeside(out) };
}

export function headParts({ layers }: Head): Part[] {
  return layers.flatMap(({ weight, bias, inputs, outputs }, i) => [
    { name: `head.${i}.weight`, source: weight, columns: inputs, rows: outputs },
    ...(bias === undefined ? [] : [{ name: `head.${i}.bias`, source: bias, columns: outputs, rows: 0 }]),
  ]);
}

export function headContents(recipe: RecipeName, tensors: readonly Tensor[]): Contents {
  return { metadata: { "general.architecture": headArchitecture, "thinktree.recipe": recipe }, tensors };
}

/**
 * What is there is replaced; where there is no head, one of before goes.
 * @throws {ThinkTreeError} INVALID_OPTION: cannot be written
 */
export async function writeWithHead(out: string, model: Contents, head: Contents | undefined): Promise<void> {
  const files = filesOf(out);
  const part = (path: string) => `${path}.part`;
  try {
    await writeGguf(part(files.model), model.metadata, model.tensors);
    if (head === undefined) await rm(files.head, { force: true });
    else {
      await writeGguf(part(files.head), head.metadata, head.tensors);
      await rename(part(files.head), files.head); // before the model, which does not go without it
    }
    await rename(part(files.model), files.model);
  } catch (error) {
    if (ThinkTreeError.isInstance(error) || !(error instanceof Error && "syscall" in error)) throw error;
    throw new ThinkTreeError("INVALID_OPTION", `cannot write ${out}: ${error.message}`, { cause: error });
  } finally {
    await Promise.all([files.model, files.head].map((path) => rm(part(path), { force: true })));
  }
}

/**
 * Which verifiers a server's completions can be read as.
 *
 * Owns: what of a verifier's recipe that allows, and why not the rest.
 * Must not know: servers.
 */
import { ThinkTreeError } from "../errors.js";
import type { PairReading } from "../remote/remote-verifier.js";
import { frameOf, type CheckedRecipe } from "../verifiers/recipe.js";
import { chatOf, type VerifierFile } from "./verifier-recipe.js";
import { chosenRecipe, textsOf } from "./verifier-recognition.js";

/**
 * How the model called `name` is read, and the texts that stand in the place of a file's own.
 * @throws {ThinkTreeError} INVALID_OPTION: no such recipe, or one that needs more than completions; UNSUPPORTED_MODEL
 */
export async function readRemoteVerifier(
  recipe: VerifierFile["recipe"],
  name: string,
  metadata: ReadonlyMap<string, string>,
): Promise<{ reading: PairReading; recipe: Readonly<Record<string, string>> }> {
  const chosen = await chosenRecipe(recipe, name, metadata);
  const [positive, negative] = pairOf(chosen);
  const { prompt, probe = "" } = chosen.chat ? chatOf(chosen.chat, name, metadata) : chosen;
  const { first = chosen.next, next, words, oneLine = false } = chosen;
  return {
    reading: {
      ...{ positive, negative, first: frameOf(first)!, next: frameOf(next)!, probe },
      ...{ asItIs: words === "own", oneLine },
    },
    recipe: {
      ...textsOf(chosen),
      ...(prompt !== undefined && { prompt_template: prompt }),
    },
  };
}

/** @throws {ThinkTreeError} INVALID_OPTION */
function pairOf({ name, read, words, beforeLast }: CheckedRecipe): readonly [string, string] {
  const why =
    read === "likelihood" || "ratio" in read
      ? "needs the log-probabilities of a given text, which servers do not tell"
      : "head" in read
        ? "reads a reward head, and servers' completions have no hidden states"
        : "analysis" in read
          ? "is a judge's, whose tree is kept by an engine of this process"
          : words === "apart"
            ? "has steps as tokens of their own, and a server makes tokens of the whole text"
            : beforeLast === true
              ? "is read a token before the step's end, and a server makes the tokens"
              : null;
  if (why === null && typeof read === "object" && "pair" in read) return read.pair;
  const mend = "name one that reads a pair of tokens (math-shepherd, rlhflow or your own), or load the verifier here";
  throw new ThinkTreeError("INVALID_OPTION", `the verifier's recipe ${name} ${why}: ${mend}`);
}

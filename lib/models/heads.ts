/**
 * What a process reward model has on top of its backbone, and by which recipe it is asked.
 *
 * Owns: recognising both from a checkpoint; the tensors of a head; how files of ours tell them.
 * Must not know: what a recipe does with them.
 */
import { ThinkTreeError } from "../errors.js";
import type { StoredTensor } from "./safetensors.js";

/** What a head's file says of its architecture. */
export const headArchitecture = "thinktree-head";
/** Where a model or an adapter says by which recipe it is read. */
export const recipeKey = "thinktree.verifier.recipe";

/** The head's file beside NAME, or NAME.gguf. */
export function headBeside(path: string): string {
  return path.replace(/(\.gguf)?$/, ".head.gguf");
}

/** In the order in which help tells them. */
export const recipeNames = [
  "math-shepherd",
  "rlhflow",
  "eurus-prm",
  "genprm",
  "thinkprm",
  "qwen2.5-math-prm",
  "skywork-o1",
  "reasoneval-7b",
  "reasoneval-34b",
  "trl",
  "orm",
] as const;
export type RecipeName = (typeof recipeNames)[number];

/** These read logits of the language model itself. */
const headless: readonly RecipeName[] = ["math-shepherd", "rlhflow", "eurus-prm", "genprm", "thinkprm"];

export interface Layer {
  readonly weight: StoredTensor;
  readonly bias: StoredTensor | undefined;
  readonly inputs: number;
  readonly outputs: number;
}

/** One linear layer, or two with ReLU between them. */
export interface Head {
  readonly layers: readonly Layer[];
}

export interface Kind {
  readonly recipe: RecipeName;
  readonly head: Head | undefined;
}

/** Names of a head's layers, less `.weight` and `.bias`; the recipe by the last layer's outputs. */
const known: readonly { readonly layers: readonly string[]; readonly recipes: Readonly<Record<number, RecipeName>> }[] =
  [
    { layers: ["v_head.summary"], recipes: { 1: "skywork-o1" } },
    { layers: ["score_head"], recipes: { 3: "reasoneval-34b" } },
    { layers: ["score.0", "score.2"], recipes: { 1: "orm", 2: "qwen2.5-math-prm" } },
    { layers: ["score"], recipes: { 1: "orm", 2: "trl" } },
    { layers: ["classifier"], recipes: { 2: "trl" } },
  ];

/** Whether there are tensors of a head: then the backbone's logits are of no use. */
export function hasHead(tensors: ReadonlyMap<string, StoredTensor>): boolean {
  return known.some(({ layers }) => tensors.has(`${layers[0]}.weight`));
}

/**
 * @param rest tensors that are no part of the backbone
 * @param wanted the recipe that the caller names; undefined: as can be told
 * @throws {ThinkTreeError} UNSUPPORTED_MODEL: another kind of head; INVALID_OPTION: a recipe that does not fit the checkpoint
 */
export function kindOf(
  architectures: readonly string[],
  rest: ReadonlyMap<string, StoredTensor>,
  width: number,
  wanted: RecipeName | undefined,
): Kind {
  const found = known.find(({ layers }) => rest.has(`${layers[0]}.weight`));
  const names = found?.layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]) ?? [];
  const others = [...rest.keys()].filter((name) => !names.includes(name));
  if (others.length > 0) throw unknown(architectures, others);
  if (found === undefined) return { recipe: headlessRecipe(architectures, wanted), head: undefined };

  const head = headOf(found.layers, rest, width);
  const outputs = head.layers.at(-1)!.outputs;
  // One head, and two sizes of model that are read in different places.
  const small = architectures.some((name) => name.startsWith("ReasonEval_7B"));
  const recipe = small && found.recipes[outputs] === "reasoneval-34b" ? "reasoneval-7b" : found.recipes[outputs];
  if (recipe === undefined) throw unknown(architectures, [...rest.keys()], `with ${outputs} outputs`);
  if (wanted !== undefined && wanted !== recipe) {
    throw new ThinkTreeError("INVALID_OPTION", `the checkpoint's head is of recipe ${recipe}, not ${wanted}`);
  }
  return { recipe, head };
}

function headlessRecipe(architectures: readonly string[], wanted: RecipeName | undefined): RecipeName {
  if (wanted === undefined) {
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `a plain language model (${architectures.join(", ")}) does not say how it scores: name the recipe, one of ` +
        headless.join(", "),
    );
  }
  if (headless.includes(wanted)) return wanted;
  throw new ThinkTreeError("INVALID_OPTION", `recipe ${wanted} needs a head, and the checkpoint has none`);
}

function headOf(layers: readonly string[], rest: ReadonlyMap<string, StoredTensor>, width: number): Head {
  let inputs = width;
  return {
    layers: layers.map((name) => {
      const [weight, bias] = [rest.get(`${name}.weight`), rest.get(`${name}.bias`)];
      if (weight === undefined) throw new ThinkTreeError("MODEL_LOAD_FAILED", `the head has no tensor ${name}.weight`);
      const [outputs = 0, columns = 0] = weight.shape;
      const fits = weight.shape.length === 2 && outputs > 0 && columns === inputs;
      if (!fits || (bias !== undefined && bias.shape.join() !== `${outputs}`)) {
        throw new ThinkTreeError(
          "MODEL_LOAD_FAILED",
          `the head's ${name} is of shape [${weight.shape.join(", ")}], which does not take ${inputs} numbers`,
        );
      }
      inputs = outputs;
      return { weight, bias, inputs: columns, outputs };
    }),
  };
}

function unknown(architectures: readonly string[], names: readonly string[], how = ""): ThinkTreeError {
  const shown = names.slice(0, 8).join(", ") + (names.length > 8 ? ` and ${names.length - 8} more` : "");
  return new ThinkTreeError(
    "UNSUPPORTED_MODEL",
    `no known kind of verifier: ${architectures.join(", ") || "no architecture"} with tensors ${shown} ${how}`.trim(),
  );
}

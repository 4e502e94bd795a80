/**
 * `thinktree inspect`: a model file, before it is loaded.
 *
 * Owns: its flags and help; its exit codes.
 * Must not know: how the page looks.
 */
import { Command } from "commander";

import { inspectModel } from "../engine/inspect-model.js";
import { recognisedRecipe } from "../scheduler/verifier-recognition.js";
import { inspectView, type VerifierReading } from "./inspect-view.js";
import { paperOf } from "./paper.js";
import { wholeNumber } from "./values.js";

interface InspectFlags {
  readonly branches: number;
  readonly prompt: number;
  readonly length: number;
  readonly json?: true;
}

/** The exit code if the file is a whole one and the engine would refuse it. */
const refused = 3;
const mostTokens = 1 << 20;

const help = `
Examples:
  $ thinktree inspect qwen.gguf
  $ thinktree inspect qwen.gguf --branches 64 --length 2048 --json

Weights are not loaded: it takes as long as reading the vocabulary. Memory is
for this model alone; a verifier of its own takes as much again as it says.

With --json, one object: path, name, architecture, parameters, fileBytes,
  quantisation, weights [{type, tensors, parameters, bytes}],
  lora {rank, alpha, tensors}: of an adapter, else null; contextTokens,
  layers, width, heads, kvHeads, headSize, slidingWindow, experts,
  vocabulary {kind, preTokenizer, size, specialTokens [{name, id, text}]},
  chatTemplate {text, renders}, recipe, treeAttention,
  verifier {recipe, aggregation, missingHead, needsReference}: how it is read
    as a verifier,
  need {branches, promptTokens, lengthTokens, cells, states, weightBytes, and
    for f16 and q8_0 {cellBytes, stateBytes, cacheBytes, bufferBytes,
    totalBytes}},
  devices [{name, description, gpu, bytes, freeBytes}],
  refusal {code, message} or null, warnings

Exit codes:
  0    the engine loads it
  1    an unexpected error
  2    a wrong flag, or no GGUF file, or a damaged one
  3    the engine would refuse it as a model: refusal says why`;

export function inspectCommand(): Command {
  return new Command("inspect")
    .summary("what a model file is, what it needs, what will not work")
    .description("Says what a GGUF file is and what a search on it needs, before anything is loaded.")
    .argument("<file.gguf>", "the model")
    .option("--branches <count>", "solutions at once", wholeNumber(1, 65_536), 16)
    .option("--prompt <tokens>", "of the prompt that they share", wholeNumber(1, mostTokens), 512)
    .option("--length <tokens>", "that each of them writes", wholeNumber(1, mostTokens), 512)
    .option("--json", "print one JSON object")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action(run);
}

async function run(path: string, { branches, prompt, length, json }: InspectFlags): Promise<void> {
  const found = await inspectModel(path, { branches, promptTokens: prompt, lengthTokens: length });
  const { recipe, ...needs } = await recognisedRecipe(path);
  const verifier: VerifierReading = { recipe: recipe.name, aggregation: recipe.aggregation, ...needs };
  const lines = json
    ? [JSON.stringify({ ...found, verifier }, null, 1)]
    : inspectView(found, verifier, paperOf(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
  if (found.refusal !== null) process.exitCode = refused;
}

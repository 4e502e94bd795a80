/**
 * A model file for people: what it is, what it needs, what will not work.
 *
 * Owns: that page. Pure: from an inspection to lines.
 * Must not know: how files are read, streams.
 */
import type { Lora } from "../engine/addon.js";
import type { CacheNeed, ModelInspection } from "../engine/inspect-model.js";
import { significant } from "../report/numbers.js";
import { grouped, wrap, type Paper } from "./paper.js";

const margin = "  ";
const nameWidth = 11;
const mostTemplateLines = 3;
const mostSpecialTokens = 6;

/** How the file is read as a verifier. */
export interface VerifierReading {
  readonly recipe: string;
  readonly aggregation: string;
  /** The sidecar that it needs and has not. */
  readonly missingHead: string | null;
  /** It is compared with another model. */
  readonly needsReference: boolean;
}

type Fact = readonly [name: string, value: string];

export function inspectView(model: ModelInspection, verifier: VerifierReading, { columns, colors }: Paper): string[] {
  const list = (facts: readonly Fact[], color = (text: string) => text) =>
    facts.flatMap(([name, value]) =>
      wrap(value, columns - margin.length - nameWidth).map(
        (line, i) => `${margin}${colors.dim((i === 0 ? name : "").padEnd(nameWidth))}${color(line)}`,
      ),
    );
  const { refusal, warnings } = model;
  const verdict =
    refusal === null
      ? list([["loads", "yes"]], colors.green)
      : list([["loads", `no: ${refusal.message} (${refusal.code})`]], colors.red);
  if (model.lora !== null) {
    return ["", ...list(adapterFacts(model, model.lora)), "", ...verdict].map((line) => line.trimEnd());
  }
  const blocks = [
    list(identity(model)),
    list([...vocabulary(model), readingOf(verifier)]),
    needTable(model).map((line, i) => (i < 1 ? colors.dim(line) : line)),
    list(devices(model)),
    [
      ...verdict,
      ...list(
        warnings.map((warning): Fact => ["note", warning]),
        colors.yellow,
      ),
    ],
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block) => ["", ...block.map((line) => line.trimEnd())]);
}

function readingOf({ recipe, aggregation, missingHead, needsReference }: VerifierReading): Fact {
  const head = missingHead === null ? "" : `; its head ${missingHead} is missing`;
  const reference = needsReference ? "; with a reference model (--verifier-reference)" : "";
  return ["verifier", `read by ${recipe}, steps by ${aggregation}${head}${reference}`];
}

function adapterFacts(file: ModelInspection, { rank, alpha, tensors }: Lora): Fact[] {
  const alphaOf = alpha === 0 ? "without an alpha" : `alpha ${significant(alpha)}`;
  return [
    ["adapter", file.name ?? "(no name)"],
    ["kind", `LoRA on ${file.architecture}, rank ${rank}, ${alphaOf}, ${count(file.parameters)} parameters`],
    weightsOf(file),
    ["changes", `${grouped(tensors)} ${tensors === 1 ? "tensor" : "tensors"} of the model`],
  ];
}

function weightsOf({ weights, fileBytes, quantisation }: ModelInspection): Fact {
  const types = weights.toSorted((a, b) => b.bytes - a.bytes).map(({ type, tensors }) => `${grouped(tensors)} ${type}`);
  return ["file", `${size(fileBytes)}, ${quantisation} (tensors: ${types.join(", ")})`];
}

function identity(model: ModelInspection): Fact[] {
  const { heads, kvHeads, headSize, layers, width, experts, slidingWindow, contextTokens } = model;
  const shape = [
    ...(layers === null ? [] : [`${layers} layers`]),
    ...(width === null ? [] : [`width ${grouped(width)}`]),
    ...(heads === null || heads === 0 ? [] : [`${heads} heads${headSize === null ? "" : ` of ${headSize}`}`]),
    ...(kvHeads === null || kvHeads === heads ? [] : [`${kvHeads} for keys and values (GQA)`]),
    ...(experts === null ? [] : [`${experts.used} of ${experts.count} experts`]),
    ...(slidingWindow === null ? [] : [`a window of ${grouped(slidingWindow)}`]),
  ];
  return [
    ["model", model.name ?? "(no name)"],
    ["kind", `${model.architecture}, ${count(model.parameters)} parameters`],
    weightsOf(model),
    ["shape", shape.join(", ") || "not said"],
    ["context", contextTokens === null ? "not said" : `${grouped(contextTokens)} tokens`],
  ];
}

function vocabulary({
  vocabulary: { kind, preTokenizer, size, specialTokens },
  chatTemplate,
  recipe,
}: ModelInspection): Fact[] {
  const specials = specialTokens.slice(0, mostSpecialTokens).map(({ name, id, text }) => `${name} ${text || id}`);
  const more = specialTokens.length - specials.length;
  const recipes = Object.entries(recipe).map(([key, text]) => `${key} ${JSON.stringify(text)}`);
  return [
    ["tokenizer", `${kind ?? "none"}${preTokenizer === null ? "" : ` (${preTokenizer})`}, ${grouped(size)} tokens`],
    ["special", [...specials, ...(more > 0 ? [`${more} more`] : [])].join(", ") || "none"],
    ...templateFacts(chatTemplate),
    ["recipe", recipes.join(", ") || "none"],
  ];
}

function templateFacts(template: ModelInspection["chatTemplate"]): Fact[] {
  if (template === null) return [["template", "none"]];
  const lines = template.text.split("\n");
  const shown = lines.slice(0, mostTemplateLines).map((line) => line.slice(0, 200));
  const known = template.renders ? "llama.cpp renders it" : "llama.cpp does not render it";
  return [
    ["template", `${grouped(lines.length)} ${lines.length === 1 ? "line" : "lines"}, ${known}:`],
    ["", shown.join("\n")],
  ];
}

function needTable({ need }: ModelInspection): string[] {
  if (need === null) return [];
  const { branches, promptTokens, lengthTokens, cells, states, weightBytes, f16, q8_0 } = need;
  const row = (name: string, values: readonly string[]) =>
    `${margin}${name.padEnd(nameWidth)}${values.map((value) => value.padStart(11)).join("")}`;
  const of = (cache: string, { cellBytes, cacheBytes, bufferBytes, totalBytes }: CacheNeed) =>
    row(cache, [size(cellBytes), ...[cacheBytes, weightBytes, bufferBytes, totalBytes].map(size)]);
  return [
    row("cache", ["a cell", "cells", "weights", "buffers", "together"]),
    of("f16", f16),
    ...(q8_0 === null ? [] : [of("q8_0", q8_0)]),
    `${margin}${grouped(cells)} KV cells: ${grouped(branches)} branches of ${grouped(lengthTokens)} tokens after ${grouped(promptTokens)}`,
    ...(states === 0
      ? []
      : [
          `${margin}with ${grouped(states)} recurrent states of ${size(f16.stateBytes)}, one for every 256 cells (256 at most)`,
        ]),
  ];
}

function devices({ devices }: ModelInspection): Fact[] {
  return devices.map(({ name, description, bytes, freeBytes }) => [
    name.toLowerCase() === "cpu" ? "memory" : name,
    `${size(freeBytes)} of ${size(bytes)} free (${description})`,
  ]);
}

/** 1572864 → 1.50 MiB. */
function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : significant(bytes / 1024 ** power)} ${units[power]!}`;
}

/** 494032768 → 494 M. */
function count(parameters: number): string {
  const units = ["", " k", " M", " B", " T"];
  const power = parameters < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(parameters) / 3));
  return `${significant(parameters / 1_000 ** power)}${units[power]!}`;
}

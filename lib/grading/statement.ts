/**
 * What an answer states: a number or expression, a list, a tuple or interval, a union, a matrix, a relation, a word.
 *
 * Owns: telling them apart, and reading each out of plain LaTeX; which marks around an answer say nothing.
 * Must not know: when two statements are the same.
 */
import { call, type Expression } from "./expression.js";
import { endOfGroup } from "./latex.js";
import { parseExpression, Unreadable } from "./parser.js";

export type Relation = "=" | "\\ne" | "<" | ">" | "\\le" | "\\ge";

export type Statement =
  | { readonly kind: "expression"; readonly expression: Expression; readonly text: string }
  /** In any order: a list or a set. */
  | { readonly kind: "list"; readonly members: readonly Statement[] }
  /** Also an interval: the brackets are part of it. */
  | { readonly kind: "tuple"; readonly open: string; readonly close: string; readonly members: readonly Statement[] }
  | { readonly kind: "union"; readonly parts: readonly Statement[] }
  | { readonly kind: "matrix"; readonly rows: readonly (readonly Statement[])[] }
  | { readonly kind: "relation"; readonly sides: readonly string[]; readonly relations: readonly Relation[] }
  /** A number of another base, digits and all. */
  | { readonly kind: "based"; readonly digits: string; readonly base: string }
  | { readonly kind: "text"; readonly text: string };

const units =
  "cm|mm|km|kg|mi|ft|in|inch(?:es)?|feet|foot|yards?|(?:centi|milli|kilo)?meters?|miles?|grams?|seconds?|minutes?|hours?|" +
  "days?|weeks?|months?|years?|degrees?|dollars?|cents?|(?:square |sq\\.? |cubic )?units?|percent|square (?:cm|feet|inches|meters)|mph|radians?";

/** Words after a number that change its value, or that are no unit. */
const notUnits =
  /\b(?:dozens?|hundreds?|thousands?|millions?|billions?|trillions?|half|halves|thirds?|quarters?|fourths?|fifths?|and|or|to|times|over|plus|minus|squared|cubed|pi|sqrt|base|if|for|where|when|not)\b/i;

const deepest = 12;

/** @param plain as plainLatex has it. */
export function statementOf(plain: string, depth = 0): Statement {
  const text = bare(plain);
  if (depth > deepest) return { kind: "text", text };
  return (
    listOf(text, depth) ??
    relationOf(text) ??
    unionOf(text, depth) ??
    bracketedOf(text, depth) ??
    matrixOf(text, depth) ??
    basedOf(text) ??
    expressionOf(text, depth) ?? { kind: "text", text: text.replace(/\\text\s*\{([^{}]*)\}/g, "$1") }
  );
}

/** Parts between separators that stand in no bracket of any kind. */
function split(text: string, separator: RegExp): { parts: string[]; separators: string[] } {
  const parts: string[] = [];
  const separators: string[] = [];
  const sticky = new RegExp(separator.source, "y");
  let [depth, from] = [0, 0];
  for (let at = 0; at < text.length;) {
    sticky.lastIndex = at;
    const found = depth === 0 ? sticky.exec(text) : null;
    if (found) {
      parts.push(text.slice(from, at).trim());
      separators.push(found[0].trim());
      at = from = sticky.lastIndex;
      continue;
    }
    const mark = text[at] === "\\" ? text.slice(at, at + 2) : text[at]!;
    if (/^(?:[([{⟨]|\\\{)$/.test(mark)) depth++;
    else if (/^(?:[)\]}⟩]|\\\})$/.test(mark)) depth--;
    else if (text.startsWith("\\begin{", at)) depth++;
    else if (text.startsWith("\\end{", at)) depth--;
    at += mark.length;
  }
  parts.push(text.slice(from).trim());
  return { parts, separators };
}

/** Without what is around an answer and says nothing: a group, a final dot, units. */
function bare(plain: string): string {
  let text = plain.trim();
  for (let before = ""; before !== text;) {
    before = text;
    text = text.replace(/[.,;]$/, "").trim();
    const group = /^(?:\\text\s*)?\{/.exec(text);
    if (group && endOfGroup(text, group[0].length) === text.length - 1) text = text.slice(group[0].length, -1).trim();
    text = withoutUnit(text).replace(/^(\d+) ?(?:\^\s*)?(?:\{?\\text\s*)?\{?(?:st|nd|rd|th)\}*$/, "$1");
  }
  return text;
}

function withoutUnit(text: string): string {
  const patterns = [
    /^(.*[\d})a-zA-Z|])\s*\\text\s*\{([^{}]*)\}(?:\^\s*\{?\d\}?)?$/,
    /^([^\sa-zA-Z\\]*\d[^\sa-z\\]*)((?: [a-zA-Z]{2,}\.?){1,3})$/,
    new RegExp(`^(.*[\\d})])\\s*((?:${units})\\.?)(?:\\^\\s*\\{?\\d\\}?)?$`, "i"),
  ];
  for (const pattern of patterns) {
    const [, value, unit] = pattern.exec(text) ?? [];
    if (value !== undefined && !notUnits.test(unit!) && /\d|\\pi|\\frac|\\sqrt/.test(value)) return value.trim();
  }
  return text;
}

function listOf(text: string, depth: number): Statement | undefined {
  const joined = text
    .replace(/\\text\s*\{\s*,?\s*(?:and|or)\s*\}|,? (?:and|or) |\\(?:land|lor|vee|wedge)(?![a-zA-Z])/g, ",")
    .replace(/,(?:\s*,)+/g, ",");
  const { parts } = split(withoutThousands(joined), /[,;]/);
  const members = parts.filter((part) => part !== "");
  if (parts.length < 2)
    return /\d/.test(text) && joined !== withoutThousands(joined) ? statementOf(parts[0]!, depth + 1) : undefined;
  return { kind: "list", members: flat(members.map((part) => statementOf(part, depth + 1))) };
}

/** "10,080" is one number, unless it stands in brackets: (1,234) has two. */
function withoutThousands(text: string): string {
  if (/[([{⟨]/.test(text.replace(/\\(?:frac|sqrt|text)\s*\{/g, ""))) return text;
  return text.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])/g, (number) => number.replaceAll(",", ""));
}

function relationOf(text: string): Statement | undefined {
  const { parts, separators } = split(text, /\\(?:in|le|ge|ne)(?![a-zA-Z])|<=|>=|[=<>≡]|\\equiv(?![a-zA-Z])/);
  if (parts.length < 2) return undefined;
  const relations = separators.map((one) => (one === "<=" ? "\\le" : one === ">=" ? "\\ge" : one));
  if (relations.length === 1 && relations[0] === "\\in") return statementOf(parts[1]!, 1);
  if (relations.some((one) => !/^(?:=|<|>|\\ne|\\le|\\ge)$/.test(one))) return undefined;
  return { kind: "relation", sides: parts, relations: relations as Relation[] };
}

function unionOf(text: string, depth: number): Statement | undefined {
  const { parts } = split(text, /\\cup(?![a-zA-Z])|(?<=[)\]]\s*)U(?=\s*[([])/);
  return parts.length < 2 ? undefined : { kind: "union", parts: parts.map((part) => statementOf(part, depth + 1)) };
}

function bracketedOf(text: string, depth: number): Statement | undefined {
  const [, open, inside, close] = /^(\\\{|[([⟨])(.*)(\\\}|[)\]⟩])$/.exec(text) ?? [];
  if (open === undefined || !closesLast(text, open)) return undefined;
  const { parts } = split(inside!, /[,;]/);
  const set = open === "\\{" && close === "\\}";
  if (parts.length < 2 && !set && open !== "⟨") return undefined;
  const members = parts.filter((part) => part !== "").map((part) => statementOf(part, depth + 1));
  return set ? { kind: "list", members: flat(members) } : { kind: "tuple", open, close: close!, members };
}

/** Whether the first bracket is closed by the last: not so in (a+b)(c+d). */
function closesLast(text: string, open: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length;) {
    const mark = text[at] === "\\" ? text.slice(at, at + 2) : text[at]!;
    if (/^(?:[([{⟨]|\\\{)$/.test(mark)) depth++;
    else if (/^(?:[)\]}⟩]|\\\})$/.test(mark)) depth--;
    at += mark.length;
    if (depth === 0) return at === text.length && text.startsWith(open);
  }
  return false;
}

function matrixOf(text: string, depth: number): Statement | undefined {
  const [, environment, inside] =
    /^\\begin\s*\{((?:[pb]|small)?matrix|array)\}(?:\{[lcr| ]*\})?(.*)\\end\s*\{\1\}$/.exec(
      text.replace(/^[([]\s*(?=\\begin)|(\\end\s*\{[a-z]+\})\s*[)\]]$/g, "$1"),
    ) ?? [];
  if (environment === undefined) return undefined;
  const rows = inside!.split(/\\\\|\\cr(?![a-zA-Z])/).filter((row) => row.trim() !== "");
  return { kind: "matrix", rows: rows.map((row) => row.split("&").map((cell) => statementOf(cell, depth + 1))) };
}

function basedOf(text: string): Statement | undefined {
  const [, digits, base] =
    /^(-?[\dA-F]*\d[\dA-F]*)\s*_\s*\{?\s*(\d+|\\text\s*\{\w+\})\s*\}?$/.exec(text.replace(/^\((.*)\)(?=_)/, "$1")) ??
    [];
  return digits === undefined ? undefined : { kind: "based", digits, base: base! };
}

/** Two where there is a \pm. */
function expressionOf(text: string, depth: number): Statement | undefined {
  if (/\\(?:pm|mp)(?![a-zA-Z])/.test(text)) {
    const signed = (sign: string, other: string) =>
      statementOf(text.replace(/\\pm(?![a-zA-Z])/g, sign).replace(/\\mp(?![a-zA-Z])/g, other), depth + 1);
    return { kind: "list", members: [signed("+", "-"), signed("-", "+")] };
  }
  try {
    return { kind: "expression", expression: parseExpression(mixed(text)), text };
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** "7 3/4" is 7 + 3/4. */
function mixed(text: string): string {
  return text.replace(/(?<![\d.}])(\d+) (\d+) ?\/ ?(\d+)(?!\d)/g, "($1+$2/$3)");
}

function flat(members: readonly Statement[]): Statement[] {
  return members.flatMap((member) => (member.kind === "list" ? member.members : [member]));
}

/** Left minus right. */
export function difference(left: string, right: string): Expression | undefined {
  try {
    return call("subtract", parseExpression(mixed(left)), parseExpression(mixed(right)));
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/**
 * The final answer of a solution's text, in a form in which equal answers are equal strings.
 *
 * Owns: the places where models put answers, the normal form of plain numbers.
 * Must not know: data sets, graders, scores.
 */
import type { AnswerOf } from "./solution.js";

export interface AnswerOptions {
  /** The answer stands on the last line that starts so. The embedded models write "A: 13": "A:". */
  readonly answerPrefix?: string;
  readonly thinking?: Thinking;
}

/** What stands between these texts is thought: an answer there is none yet. */
export interface Thinking {
  readonly begin: string;
  readonly end: string;
  /** The prompt has begun the first thought. */
  readonly begun: boolean;
}

/**
 * An extractor that looks, in this order, for the last line with the prefix, the last `\boxed{...}`, the last
 * `#### X`, the last "the answer is X", and the last formula or number of a last sentence that begins with "Therefore" or
 * the like. An empty answer is none.
 */
export function answerExtractor({ answerPrefix, thinking }: AnswerOptions = {}): AnswerOf {
  const places = [lastBoxed, lastHashed, lastStated, concluded];
  if (answerPrefix) places.unshift((text) => lastPrefixed(text, answerPrefix));
  return (text) => {
    const said = thinking === undefined ? text : afterThoughts(text, thinking);
    for (const find of places) {
      const answer = normalizeAnswer(find(said) ?? "");
      if (answer !== "") return answer;
    }
    return null;
  };
}

/** Empty while the last thought has not ended. */
function afterThoughts(text: string, { begin, end, begun }: Thinking): string {
  const from = text.lastIndexOf(end);
  if (from < 0 && begun) return "";
  const said = from < 0 ? text : text.slice(from + end.length);
  return said.includes(begin) ? said.slice(0, said.indexOf(begin)) : said;
}

/**
 * Plain numbers in one form ("1,000" = "1000", "$13." = "13", "13.0" = "13", ".5" = "0.5", "-0" = "0"), by characters
 * and not by value, so that no digit of a long number is lost. Other text keeps its letters; blanks are folded.
 */
export function normalizeAnswer(answer: string): string {
  let text = answer.replace(/\s+/g, " ").trim();
  for (let before = ""; before !== text;) {
    before = text;
    text = text
      .replace(/^\*\*([^*]*)\*\*$/, "$1")
      .replace(/^\$([^$]*)\$$/, "$1")
      .replace(/^\\\(((?:(?!\\[()]).)*)\\\)$/, "$1")
      .trim();
    let end = text.length;
    while (text[end - 1] === ".") end--;
    text = text.slice(0, end).trimEnd();
  }
  const number = /^([+-]?)\\?\$?((?:\d{1,3}(?:,\d{3})+|\d+)?)(?:\.(\d+))?$/.exec(text);
  if (!number || (!number[2] && !number[3])) return text;
  const whole = (number[2] ?? "").replaceAll(",", "").replace(/^0+/, "") || "0";
  const fraction = (number[3] ?? "").replace(/0+$/, "");
  const digits = fraction === "" ? whole : `${whole}.${fraction}`;
  return number[1] === "-" && digits !== "0" ? `-${digits}` : digits;
}

function lastPrefixed(text: string, prefix: string): string | undefined {
  const line = text.split("\n").findLast((line) => line.trimStart().startsWith(prefix));
  return line?.trimStart().slice(prefix.length);
}

/** Of `\boxed{...}`, `\fbox{...}` and `\boxed 5`. */
function lastBoxed(text: string): string | undefined {
  const box = [...text.matchAll(/\\(?:boxed|fbox)(?:\s*\{|\s+(?=[^\s{]))/g)].at(-1);
  if (box === undefined) return undefined;
  const from = box.index + box[0].length;
  if (!box[0].endsWith("{")) return /^[^\s$]+/.exec(text.slice(from, from + 100))?.[0];
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\")
      at++; // an escaped brace is a character of the answer
    else if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return text.slice(from, at);
  }
  return undefined; // never closed: the text was cut off
}

function lastHashed(text: string): string | undefined {
  return [...text.matchAll(/^[ \t]*####(.*)$/gm)].at(-1)?.[1];
}

/** Up to the end of the sentence: a dot inside a number or a word ends none. */
function lastStated(text: string): string | undefined {
  return [...text.matchAll(/\bthe (?:final )?answer is\b:?\s*(.+?)(?=\.(?:\s|$)|\n|$)/gi)].at(-1)?.[1];
}

/** "Therefore, the polygon has 15 sides." The last sentence of the last line. */
function concluded(text: string): string | undefined {
  const line = text.trimEnd().slice(-mostConcluded).split("\n").at(-1)!.trim();
  const conclusion =
    /^(?:.*[.!?:]\s)?(?:Therefore|Thus|Hence|So|Consequently|In conclusion)\b(.*)$/.exec(line)?.[1] ?? "";
  return [...conclusion.matchAll(/\$([^$]+)\$|\\\(((?:(?!\\[()]).)+)\\\)|(-?\$?\d[\d,]*(?:\.\d+)?(?: ?\/ ?\d+)?%?)/g)]
    .map(([, dollars, parentheses, number]) => dollars ?? parentheses ?? number?.replace(/,$/, ""))
    .at(-1);
}

/** Characters; a longer line concludes nothing. */
const mostConcluded = 500;

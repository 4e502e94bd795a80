/**
 * The paper's way to grade mathematics: PRM800K's (Lightman et al. 2023), on top of Hendrycks et al.'s normal form (MATH).
 *
 * Owns: their rules, quirks included: two plain fractions must be the same string, an integer must be met exactly.
 * Must not know: the stricter mode, workers.
 *
 * Some things are ours. Braces of fractions and roots are kept (upstream's conversion to text drops them, so that
 * \frac{1+x}{2} reads 1+x/2), and where upstream asks a computer algebra whether a difference simplifies to zero, the two
 * are compared at points, which cannot hang. \mbox is read as \text, and a comma in brackets is no mark of thousands.
 */
import { equal } from "./expression.js";
import { endOfGroup } from "./latex.js";
import { parseExpression, Unreadable } from "./parser.js";

export function meansByPaper(answer: string, reference: string): boolean {
  if (hendrycks(answer) === hendrycks(reference)) return true;
  const [given, right] = [normal(answer), normal(reference)];
  if (given === right) return true;
  if (given === "") return false;
  const [givenParts, rightParts] = [partsOf(given), partsOf(right)];
  const sameBrackets = given.startsWith(right.charAt(0)) && given.endsWith(right.slice(-1));
  if (rightParts.length > 1 && !sameBrackets) return false;
  return givenParts.length === rightParts.length && givenParts.every((part, i) => samePart(part, rightParts[i]!));
}

function samePart(given: string, right: string): boolean {
  if (isFraction(given) && isFraction(right)) return given === right; // a fraction that is not reduced is wrong
  if (isInteger(given) !== isInteger(right)) return false;
  return sameValue(given, right);
}

/** Of at most two unknown letters and no large exponents, as upstream. */
function sameValue(given: string, right: string): boolean {
  const letters = new Set(`${given}${right}`.replace(/sqrt|frac/g, "").match(/\p{L}/gu));
  if (letters.size > 2) return false;
  if ([given, right].some((text) => /\^\(|\^\{|\^\d+\^|\^\d\d/.test(text))) return false;
  try {
    return equal(parseExpression(given), parseExpression(right), 0);
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}

/** The elements of a tuple or interval, which has no bracket inside; anything else is one. */
function partsOf(text: string): string[] {
  const inside = /^[([]([^()[\]]+)[)\]]$/.exec(text)?.[1];
  return inside === undefined ? [withoutThousands(text)] : inside.split(",").map((part) => part.trim());
}

const units = "degree|cm|centimeter|meter|mile|second|minute|hour|day|week|month|year|foot|feet|inch|yard".split("|");

/** PRM800K's own normal form, after Hendrycks's has not matched. */
function normal(answer: string): string {
  let text = answer
    .replace(/\\mbox\b/g, "\\text")
    .replaceAll("π", "\\pi ")
    .replace(/^\\text\{(.+?)\}$/, "$1")
    .replace(/\\?[%$]/g, "")
    .replace(/ or | and /g, " , ")
    .replace(/(?<![a-z])(tr|b|m)illion/g, (_, size: string) => `*10^${{ tr: 12, b: 9, m: 6 }[size]}`);
  for (const unit of units) text = text.replace(new RegExp(`${unit}(?:es)?s? *(?:\\^[0-9]+)?`, "g"), "");
  text = text.replace(/\^ *(?:\\circ|\{\\circ\})/g, "").replace(/^\{(.*)\}$/, "$1");
  text = text.replace(/,\\! */g, "").replace(/\\text\{\s*\}(?:\^\d+)?/g, "");
  text = (isInteger(text) ? String(integerOf(text)) : plainText(text))
    .replace(/- */g, "-")
    .replace(/(\d) +(\d)/g, "$1+$2") // a mixed number
    .replace(/[ {}]/g, "")
    .toLowerCase();
  return isInteger(text) ? String(integerOf(text)) : text;
}

/** Without LaTeX: \frac{1}{2} is 1/2. */
function plainText(text: string): string {
  let plain = text.replace(/\\[dt]frac/g, "\\frac").replace(/\\frac/g, " \\frac");
  for (
    let found = /\\(frac|sqrt) *(?:\[(\w+)\])?/.exec(plain);
    found;
    found = /\\(frac|sqrt) *(?:\[(\w+)\])?/.exec(plain)
  ) {
    let at = found.index + found[0].length;
    const taken: string[] = [];
    for (let i = 0; i < (found[1] === "frac" ? 2 : 1); i++) {
      while (plain[at] === " ") at++;
      const group = plain[at] === "{";
      const end = group ? endOfGroup(plain, at + 1) : at + (/^\\[a-zA-Z]+|^./.exec(plain.slice(at))?.[0].length ?? 0);
      taken.push(plain.slice(group ? at + 1 : at, end));
      at = group ? end + 1 : end;
    }
    const [over, under] = taken.map((one) => (/^-?(?:\\?[a-zA-Z]+|\d*)$/.test(one.trim()) ? one : `(${one})`));
    const root = found[2] === undefined ? `sqrt(${taken[0]})` : `((${taken[0]})^(1/${found[2]}))`;
    plain = plain.slice(0, found.index) + (found[1] === "frac" ? `${over}/${under}` : root) + plain.slice(at);
  }
  return plain
    .replace(/\\(?:cdot|times)(?![a-zA-Z])/g, "*")
    .replace(/\\cup(?![a-zA-Z])/g, "U")
    .replace(/\\infty(?![a-zA-Z])/g, "inf")
    .replace(/\\(?:left|right|text|mathrm|mathbf|quad|qquad|displaystyle)(?![a-zA-Z])|\\[,;:! ]/g, "")
    .replace(/\\([a-zA-Z]+)/g, "$1")
    .trim();
}

/** The normal form of the MATH data set. */
function hendrycks(answer: string): string {
  let text = answer
    .trim()
    .replace(/^\\text\{(.+?)\}$/, "$1")
    .trim()
    .replace(/\n|\\!/g, "")
    .replaceAll("\\\\", "\\")
    .replace(/[td]frac/g, "frac")
    .replace(/\\left|\\right|\^\{\\circ\}|\^\\circ|\\\$/g, "");
  text = /^(.*?)\\text\{ /.exec(text)?.[1] ?? text;
  text = text.replace(/\\?%/g, "").replace(/ \./g, " 0.").replace(/\{\./g, "{0.").replace(/^\./, "0.");
  const [left, right, ...more] = text.split("=");
  if (right !== undefined && more.length === 0 && left!.trim().length <= 2) text = right;
  text = text.replace(/\\sqrt(\w)/g, "\\sqrt{$1}").replaceAll(" ", "");
  text = text.replace(/\\frac(\{[^{}]*\}|[^{}])(\{[^{}]*\}|[^{}])/g, (_, over: string, under: string) =>
    [over, under].reduce((all, one) => all + (one.startsWith("{") ? one : `{${one}}`), "\\frac"),
  );
  if (text === "0.5") return "\\frac{1}{2}";
  return text.replace(/^(-?\d+)\/(-?\d+)$/, "\\frac{$1}{$2}");
}

function isFraction(text: string): boolean {
  return /^-?[0-9]+.?\/0*[1-9][0-9]*.?$/.test(text);
}

/** "5", "5.0", "1,000". */
function isInteger(text: string): boolean {
  return /^[+-]?\d+(?:\.0*)?$/.test(withoutThousands(text.trim()));
}

function integerOf(text: string): bigint {
  return BigInt(withoutThousands(text.trim()).replace(/\..*$|^\+/g, ""));
}

function withoutThousands(text: string): string {
  let bare = text;
  for (let before = ""; before !== bare;) {
    before = bare;
    bare = bare.replace(/(\d),(\d\d\d)($|\D)/g, "$1$2$3");
  }
  return bare;
}

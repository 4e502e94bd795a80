/**
 * Whether an answer says what the reference says.
 *
 * Owns: equality of numbers, exact and by value; everything else must be the same normalised text. Pure, and it may take
 * long on hostile text: a GraderPool gives it a time limit.
 * Must not know: questions, workers.
 */
import { normalizeAnswer } from "../verifiers/answer.js";

/** An exact number. */
interface Fraction {
  readonly over: bigint;
  /** Positive. */
  readonly under: bigint;
  /** It was written with a decimal point, so it may have been rounded. */
  readonly decimal: boolean;
}

/**
 * Numbers are equal by value: "1/2" = "0.5" = "\frac{1}{2}", "$1,000" = "1000 dollars". A percent sign or word is dropped
 * on both sides, not divided by. Where one is a decimal fraction they may differ by a millionth, absolutely and relatively.
 */
export function isRight(answer: string, reference: string): boolean {
  const [given, right] = [plain(answer), plain(reference)];
  if (given === right) return true;
  const [a, b] = [fractionOf(given), fractionOf(right)];
  if (a === undefined || b === undefined) return false;
  const apart = magnitude(a.over * b.under - b.over * a.under);
  if (apart === 0n) return true;
  if (!a.decimal && !b.decimal) return false;
  const [sizeOfA, sizeOfB] = [magnitude(a.over) * b.under, magnitude(b.over) * a.under];
  return apart * million <= a.under * b.under && apart * million <= (sizeOfA > sizeOfB ? sizeOfA : sizeOfB);
}

const million = 1_000_000n;

/** Without the marks that do not change a number's value. */
function plain(text: string): string {
  let bare = normalizeAnswer(text)
    .replace(/\\(?:text|mbox|mathrm)\{([^{}]*)\}/g, " $1")
    .replace(/\\[dt]frac/g, "\\frac")
    .replace(/\\[!,;:]|\{,\}/g, (mark) => (mark === "{,}" ? "," : ""))
    .replace(/\\?%/g, " percent")
    .replace(/\\\$/g, "$");
  const [, number, unit] = /^(\S*\d[^\sa-z]*)((?: [a-zA-Z]{2,}\.?){1,3})$/.exec(normalizeAnswer(bare)) ?? [];
  // Only what follows a number and cannot change it is a unit: "24 pens", not "3 or four", not "2 dozen".
  if (number !== undefined && unit !== undefined && !notUnits.test(unit)) bare = number;
  return normalizeAnswer(bare);
}

const notUnits =
  /\b(?:dozens?|hundreds?|thousands?|millions?|billions?|trillions?|half|halves|thirds?|quarters?|fourths?|fifths?|and|or|to|times|over|plus|minus|squared|cubed|pi|sqrt)\b/i;

/** Integers, decimals, a/b and \frac{a}{b} of them. */
function fractionOf(text: string): Fraction | undefined {
  const [, sign = "", above, below] =
    /^([+-]?)\\frac\{([^{}]*)\}\{([^{}]*)\}$/.exec(text) ?? /^([+-]?)([\d.,$]+) ?\/ ?([\d.,]+)$/.exec(text) ?? [];
  const over = decimalOf(above === undefined ? text : normalizeAnswer(above));
  const under = below === undefined ? one : decimalOf(normalizeAnswer(below));
  if (over === undefined || under === undefined || under.over === 0n) return undefined;
  const turned = (sign === "-") !== under.over < 0n;
  return {
    over: (turned ? -over.over : over.over) * under.under,
    under: over.under * magnitude(under.over),
    decimal: over.decimal || under.decimal,
  };
}

const one: Fraction = { over: 1n, under: 1n, decimal: false };

function decimalOf(text: string): Fraction | undefined {
  const [, whole, digits = ""] = /^(-?\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return { over: BigInt(whole + digits), under: 10n ** BigInt(digits.length), decimal: digits !== "" };
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

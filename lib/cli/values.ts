/**
 * The values of flags, from text.
 *
 * Owns: what counts as a number, a range, a span of time, and the words that say so.
 * Must not know: which flags there are.
 */
import { InvalidArgumentError } from "commander";

type Parser = (text: string) => number;

export function wholeNumber(least: number, most: number): Parser {
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Use a whole number from ${least} to ${most}.`);
  };
}

/** Such as 1,4,16: ascending, each once. */
export function wholeNumbers(least: number, most: number): (text: string) => number[] {
  const parse = wholeNumber(least, most);
  return (text) => [...new Set(text.split(",").map(parse))].sort((a, b) => a - b);
}

export function decimal(words: string, holds: (value: number) => boolean): Parser {
  return (text) => {
    const value = text.trim() === "" ? NaN : Number(text);
    if (Number.isFinite(value) && holds(value)) return value;
    throw new InvalidArgumentError(`Use ${words}.`);
  };
}

const milliseconds = { "": 1, ms: 1, s: 1_000, m: 60_000 } as const;

/** 500, 500ms, 2s, 1.5m: in milliseconds. */
export function duration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|m|)$/.exec(text.trim()) ?? [];
  const value = Number(amount) * milliseconds[(unit ?? "") as keyof typeof milliseconds];
  if (value > 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new InvalidArgumentError("Use a span of time: 500ms, 2s or 1m; a bare number is milliseconds.");
}

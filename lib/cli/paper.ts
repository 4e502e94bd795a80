/**
 * What the views write on: a width, colours or none, and text that can do the terminal no harm.
 *
 * Owns: colours, wrapping, bars, how numbers look.
 * Must not know: searches, answers.
 */
import picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;

export interface Paper {
  readonly columns: number;
  readonly colors: Colors;
}

const usualColumns = 80;
const mostColumns = 100; // longer lines are hard to read

/** Colours on a terminal only, unless NO_COLOR; picocolors alone would also colour a pipe in CI. */
export function paperOf(stream: NodeJS.WriteStream): Paper {
  const columns = Math.min(isTerminal(stream) ? stream.columns : usualColumns, mostColumns);
  return { columns, colors: picocolors.createColors(isTerminal(stream) && !process.env["NO_COLOR"]) };
}

/** One that can be written on in place: a dumb one cannot, nor can one of no size, as some containers have it. */
export function isTerminal(stream: NodeJS.WriteStream): boolean {
  // The types say that a stream always is one; on a pipe these are undefined.
  return Boolean(stream.isTTY) && stream.columns > 0 && stream.rows > 0 && process.env["TERM"] !== "dumb";
}

/** Control characters as pictures: a model's text, or a file's name, must not steer the terminal. Line breaks stay. */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    if (character === "\t") return " ";
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd";
  });
}

/** Lines of at most `width` characters, broken between words where there are any. */
export function wrap(text: string, width: number): string[] {
  return harmless(text)
    .split("\n")
    .flatMap((line) => wrapLine(line.trimEnd(), Math.max(1, width)));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let rest = [...line]; // by code points: no character is cut in two
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end).join("").trimEnd());
    rest = rest.slice(space > 0 ? end + 1 : end);
  }
  return [...lines, rest.join("")];
}

const barCells = 8;

/** A score in [0, 1] as a bar and three digits; blank where there is none. */
export function gauge(score: number | null, { colors }: Paper): string {
  if (score === null) return " ".repeat(barCells + 1 + score3(0).length);
  const color = score >= 0.5 ? colors.green : score >= 0.1 ? colors.yellow : colors.red;
  const full = filled(score);
  return `${color("█".repeat(full))}${colors.dim("░".repeat(barCells - full))} ${color(score3(score))}`;
}

/** A share in [0, 1], without colour. */
export function bar(share: number): string {
  return "█".repeat(filled(share)) + "░".repeat(barCells - filled(share));
}

function filled(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * barCells);
}

export function score3(score: number): string {
  return score.toFixed(3);
}

/** 1264 → 1,264. Always so: what is printed does not depend on the machine's language. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** 0.31 s, 12.4 s, 3 min 5 s. */
export function seconds(milliseconds: number): string {
  const value = milliseconds / 1_000;
  if (value < 59.95) return `${value.toFixed(value < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(value);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** 5217618432 → 5.22 GFLOP. */
export function floatingPointOperations(flops: number): string {
  const units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"];
  const power = flops < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(flops) / 3));
  return `${Number((flops / 1_000 ** power).toPrecision(3))} ${units[power]!}`;
}

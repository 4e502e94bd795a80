/**
 * Tables for terminals and for Markdown.
 *
 * Owns: alignment, and how numbers look. Must not know: what is in them.
 */
import { median } from "./statistics.js";

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Aligned Markdown: readable on a terminal, and a table where Markdown is shown. The first column is text. */
export function format({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(3, ...lines.map((line) => (line[i] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => pad(cells[i] ?? "", width, i === 0)).join(" | ")} |`;
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [`\n${title}\n`, line(columns), line(rule), ...rows.map(line)].join("\n");
}

export function print(table: Table): void {
  console.log(format(table));
}

/** Three digits that count: 0.0123, 1.23, 12.3, 123, 1234. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.max(0, Math.min(4, 2 - digits)));
}

/** The median, and from where to where the values lie. */
export function spread(values: readonly number[]): string {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return "-";
  const middle = number(median(known));
  return known.length === 1 ? middle : `${middle} (${number(Math.min(...known))}-${number(Math.max(...known))})`;
}

function pad(text: string, width: number, left: boolean): string {
  return left ? text.padEnd(width) : text.padStart(width);
}

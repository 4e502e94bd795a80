/**
 * A benchmark for people: the machine, speed and latency by number of branches, where the time and the memory went.
 *
 * Owns: that page. Pure: from figures to lines.
 * Must not know: how they were measured, streams.
 */
import type { Benchmark, Percentiles, Result } from "../benchmark/results.js";
import { benchmarkFacts, benchmarkNotes } from "../report/benchmark-facts.js";
import { significant } from "../report/numbers.js";
import { grouped, wrap, type Paper } from "./paper.js";

const margin = "  ";
const nameWidth = 11;

/** `written`: files that hold the same. */
export function benchView(found: Benchmark, written: readonly string[], { columns, colors }: Paper): string[] {
  const table = (lines: readonly string[]) => lines.map((line, i) => (i < 2 ? colors.dim(line) : line));
  const rows = [
    ...benchmarkNotes(found).map((value) => ({ name: "note", value })),
    ...(written.length > 0 ? [{ name: "written", value: written.join(", ") }] : []),
  ];
  const list = (facts: readonly { name: string; value: string }[]) =>
    facts.flatMap(({ name, value }) =>
      wrap(value, columns - margin.length - nameWidth).map(
        (line, i) => `${margin}${colors.dim((i === 0 ? name : "").padEnd(nameWidth))}${line}`,
      ),
    );
  const blocks = [list(benchmarkFacts(found)), table(speedTable(found)), table(costTable(found)), list(rows)];
  return blocks.filter((block) => block.length > 0).flatMap((block) => ["", ...block.map((line) => line.trimEnd())]);
}

const cell = (text: string, width: number) => text.padStart(width);
const percentiles = ({ p50, p95, p99 }: Percentiles) => [p50, p95, p99].map((ms) => cell(significant(ms), 7)).join("");

function speedTable({ settings: { stepTokens }, results }: Benchmark): string[] {
  const head = cell("p50", 7) + cell("p95", 7) + cell("p99", 7);
  return [
    `${margin}${cell("", 8)}${cell("tokens/s", 10)}${cell("", 16)}${cell("first token, ms", 21)}${cell(`step of ${stepTokens}, ms`, 21)}`,
    `${margin}${cell("branches", 8)}${cell("median", 10)}${cell("least-most", 16)}${head}${head}`,
    ...results.map(({ branches, tokensPerSecond: { median, least, most }, firstTokenMs, stepMs }) =>
      [
        `${margin}${cell(grouped(branches), 8)}${cell(significant(median), 10)}`,
        cell(`${significant(least)}-${significant(most)}`, 16),
        percentiles(firstTokenMs) + percentiles(stepMs),
      ].join(""),
    ),
  ];
}

function costTable({ results, models: { verifier } }: Benchmark): string[] {
  const row = (cells: readonly string[]) =>
    `${margin}${cell(cells[0]!, 8)}${cells
      .slice(1)
      .map((text) => cell(text, 11))
      .join("")}`;
  const scored = verifier !== null;
  const cells = (result: Result) => [
    grouped(result.branches),
    significant(result.tokenMs.p50),
    significant(result.hostMsPerDecode),
    ...(scored ? [`${(100 * (result.verifierShare ?? 0)).toFixed(1)}%`] : []),
    grouped(result.kvCellsPeak),
    ...(scored ? [grouped(result.verifierKvCellsPeak)] : []),
    grouped(result.residentMib),
  ];
  return [
    row(["", "a token", "host ms", ...(scored ? ["verifier's"] : []), "KV", ...(scored ? ["verifier's"] : []), "MiB"]),
    row([
      "branches",
      "of all, ms",
      "a decode",
      ...(scored ? ["share"] : []),
      "cells",
      ...(scored ? ["KV cells"] : []),
      "resident",
    ]),
    ...results.map((result) => row(cells(result))),
  ];
}

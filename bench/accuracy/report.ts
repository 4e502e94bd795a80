/**
 * The accuracy table: every method, over all questions and by fifths of difficulty, with what it cost.
 *
 * Owns: fifths, the columns. Must not know: how answers were found.
 */
import { bootstrap, mean } from "#lib/evaluation/statistics.js";

import { number, type Table } from "../support/table.js";
import type { MethodResult } from "./results.js";

const parts = 5;

/** `pass1`: by which questions are sorted into fifths, easiest first. */
export function accuracyTable(title: string, results: readonly MethodResult[], pass1: readonly number[]): Table {
  const fifths = fifthsOf(pass1);
  const rows = results.map(({ method, n, right, generatedTokens, verifierTokens, milliseconds, equalTokens }) => {
    const { mean: all, low, high } = bootstrap(right);
    return [
      `${method}, ${n}`,
      `${percent(all)} [${percent(low)}, ${percent(high)}]`,
      ...fifths.map((members) => percent(mean(members.map((i) => right[i]!)))),
      number(generatedTokens),
      number(verifierTokens),
      number(milliseconds),
      equalTokens ? `${percent(equalTokens.majority)} / ${percent(equalTokens.weighted)} (${equalTokens.samples})` : "",
    ];
  });
  const ranges = fifths.map((members) => `pass@1 ${percent(mean(members.map((i) => pass1[i]!)))}`);
  const columns = ["method, N", "right % [95%]", ...ranges, "generated tokens", "verifier tokens", "ms"];
  return { title, columns: [...columns, "majority / weighted at equal tokens (N)"], rows };
}

/** Indices of the questions of each fifth. */
function fifthsOf(pass1: readonly number[]): number[][] {
  const order = pass1.map((_, i) => i).sort((a, b) => pass1[b]! - pass1[a]! || a - b);
  const edge = (part: number) => Math.round((part * order.length) / parts);
  return Array.from({ length: parts }, (_, part) => order.slice(edge(part), edge(part + 1)));
}

function percent(share: number): string {
  return Number.isNaN(share) ? "-" : (100 * share).toFixed(1);
}

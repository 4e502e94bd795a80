/**
 * A fitted policy as a page: what it does where, and how well difficulty is told.
 *
 * Owns: that page. Must not know: how the policy came about.
 */
import { binsOf, type Policy, type PolicyEntry } from "../scheduler/policy.js";
import type { Paper } from "./paper.js";

/** `path`: where it was written. */
export function policyView(policy: Policy, path: string, { colors }: Paper): string[] {
  const { calibration, estimate, stop } = policy;
  const bins = binsOf(policy, estimate);
  const budgets = bins[0]!.entries.map(({ budget }) => budget);
  const width = 28;
  const row = (head: string, cells: readonly string[]) =>
    `  ${head.padEnd(20)}${cells.map((cell) => cell.padEnd(width)).join("")}`.trimEnd();
  return [
    "",
    `  ${colors.bold("Policy")}  ${path}`,
    `  ${String(calibration["questions"])} questions, difficulty by ${estimate}`,
    "",
    colors.dim(
      row(
        "difficulty",
        budgets.map((budget) => `budget ${budget}`),
      ),
    ),
    ...bins.map(({ upTo, entries }, i) => {
      const from = i === 0 ? 0 : bins[i - 1]!.upTo;
      return row(`${from.toFixed(2)} to ${upTo.toFixed(2)}`, entries.map(cellOf));
    }),
    "",
    `  ${colors.dim("ends early")}   ${stopView(stop)}`,
    `  ${colors.dim("difficulty")}   Spearman with the oracle: ${spearmanView(calibration["spearman"])}`,
    "",
  ];
}

/** Such as "beam 16/4  71%": n and beam width, and the share of right answers. */
function cellOf({ strategy, generations, settings, accuracy }: PolicyEntry): string {
  const width = settings.beamWidth === undefined ? "" : `/${settings.beamWidth}`;
  const right = accuracy === null ? "" : `  ${Math.round(100 * accuracy)}%`;
  return `${strategy} ${generations}${width}${right}`;
}

function stopView({ agreement, share }: Policy["stop"]): string {
  const rules = [
    ...(agreement === null ? [] : [`a lead that is ${agreement} sure`]),
    ...(share === null ? [] : [`an answer with ${Math.round(100 * share)}% of all scores`]),
  ];
  return rules.length > 0 ? rules.join(", or ") : "never";
}

function spearmanView(spearman: unknown): string {
  const values = Object.entries((spearman ?? {}) as Record<string, number>);
  return values.map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
}

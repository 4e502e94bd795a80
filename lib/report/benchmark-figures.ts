/**
 * A benchmark's two figures: speed and latency against the number of branches.
 *
 * Owns: what stands in them, their words. Must not know: how anything was measured, the page around them.
 */
import * as Plot from "@observablehq/plot";
import type { Benchmark, Percentiles } from "../benchmark/results.js";
import { plural } from "./benchmark-facts.js";
import { significant } from "./numbers.js";
import { drawPlot, ink, paper, usualWidth, type Picture } from "./plot-svg.js";

export interface BenchmarkFigure {
  readonly id: string;
  readonly title: string;
  /** How it is read. */
  readonly caption: string;
  readonly picture: Picture;
}

const color = "var(--method-0)";

export function benchmarkFigures(found: Benchmark): BenchmarkFigure[] {
  const { stepTokens, rounds } = found.settings;
  const steps = found.results[0]?.rounds.reduce((count, { stepMs }) => count + stepMs.length, 0) ?? 0;
  return [
    {
      ...{ id: "speed", title: "Tokens a second, all branches together" },
      caption: `Line: median of ${plural(rounds, "round")}. Vertical lines: from the slowest round to the fastest.`,
      picture: speedPicture(found),
    },
    {
      ...{ id: "latency", title: `Milliseconds of a step: ${stepTokens} tokens of every branch` },
      caption: `Of ${plural(steps, "step")} each. Line: p50, half of all steps. Dashes: p95. Band: p50 to p99.`,
      picture: latencyPicture(found),
    },
  ];
}

function speedPicture({ results }: Benchmark): Picture {
  const points = results.map(({ branches, tokensPerSecond: { median, least, most } }) => ({
    ...{ branches, median, least, most },
    title: `${plural(branches, "branch")}\n${significant(median)} tokens/s [${significant(least)}, ${significant(most)}]`,
  }));
  return againstBranches(points, "tokens/s", Math.max(...points.map(({ most }) => most)), [
    Plot.ruleX(points, {
      ...{ x: "branches", y1: "least", y2: "most", stroke: color, strokeWidth: 1.5, strokeOpacity: 0.6 },
      ariaDescription: "rounds",
    }),
    Plot.line(points, { x: "branches", y: "median", stroke: color, strokeWidth: 2 }),
    dots(points, "median"),
  ]);
}

function latencyPicture({ results }: Benchmark): Picture {
  const words = ({ p50, p95, p99 }: Percentiles) =>
    `p50 ${significant(p50)} ms\np95 ${significant(p95)} ms\np99 ${significant(p99)} ms`;
  const points = results.map(({ branches, stepMs }) => ({
    ...{ branches, ...stepMs },
    title: `${plural(branches, "branch")}\n${words(stepMs)}`,
  }));
  return againstBranches(points, "ms", Math.max(...points.map(({ p99 }) => p99)), [
    Plot.areaY(points, {
      ...{ x: "branches", y1: "p50", y2: "p99", fill: color, fillOpacity: 0.18 },
      ariaDescription: "p50 to p99",
    }),
    // A band over one number of branches has no width.
    Plot.ruleX(points, {
      ...{ x: "branches", y1: "p50", y2: "p99", stroke: color, strokeWidth: 1.5, strokeOpacity: 0.6 },
      ariaDescription: "range",
    }),
    Plot.line(points, { x: "branches", y: "p95", stroke: color, strokeWidth: 1.5, strokeDasharray: "5 4" }),
    Plot.line(points, { x: "branches", y: "p50", stroke: color, strokeWidth: 2 }),
    dots(points, "p50"),
  ]);
}

/** Both axes from where they begin: branches on a logarithmic one, the other from zero. */
function againstBranches(
  points: readonly { readonly branches: number }[],
  unit: string,
  most: number,
  marks: Plot.Markish[],
): Picture {
  const branches = points.map((point) => point.branches);
  const air = 1.1;
  return drawPlot({
    ...{ width: usualWidth, rows: 1, titled: false, styles: new Map(), figure: false },
    x: { type: "log", base: 2, domain: [Math.min(...branches) / air, Math.max(...branches) * air] },
    y: { domain: [0, most * 1.05], label: unit, labelAnchor: "top", labelArrow: "none", ticks: 6 },
    marks: [
      Plot.gridY({ ticks: 6, stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisX(branches, {
        text: (count: number) => String(count), // as a channel: a logarithmic axis leaves out labels of its own accord
        ...{ label: "branches, log scale", labelAnchor: "center", labelArrow: "none" },
      }),
      Plot.ruleY([0], { stroke: ink }),
      ...marks,
    ],
  });
}

function dots(points: readonly object[], y: string): Plot.Markish {
  return Plot.dot(points, {
    ...{ x: "branches", y, fill: color, stroke: paper, strokeWidth: 0.75, r: 4.2, title: "title" },
    ariaDescription: "point",
  });
}

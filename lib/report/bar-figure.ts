/**
 * Bars: how every method does in every difficulty bin at every budget, each bar with its interval.
 *
 * Owns: groups of bars by budget inside panels by bin. Must not know: where the data comes from.
 */
import * as Plot from "@observablehq/plot";
import type { BinsFigure } from "./data.js";
import { compact, percent } from "./numbers.js";
import type { Styles } from "./palette.js";
import { accuracyAxis, emptyMark, ink, panelGrid, drawPlot, usualWidth, type Picture } from "./plot-svg.js";

export function drawBars(figure: BinsFigure, styles: Styles): Picture {
  const names = [...styles.keys()];
  const grid = panelGrid(
    figure.panels.map(({ name }) => name),
    Math.max(1, figure.panels.length),
  );
  const budgets = [
    ...new Set(figure.panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(({ x }) => x)))),
  ].sort((a, b) => a - b);
  const bars = figure.panels.flatMap((panel) =>
    panel.series.flatMap(({ name, points }) =>
      points.map(({ x, y, low, high }) => {
        const left = budgets.indexOf(x) * (names.length + 1) + names.indexOf(name);
        return {
          ...{ ...grid.place(panel.name), series: name, left: left + 0.06, middle: left + 0.5, right: left + 0.94 },
          ...{ y: 100 * y, low: 100 * low, high: 100 * high },
          title: `${panel.name}, ${name}\n${compact(x)}: ${percent(y)}% [${percent(low)}, ${percent(high)}]`,
        };
      }),
    ),
  );
  const { scale, grid: rules } = accuracyAxis(
    bars.flatMap(({ y, high }) => [y, high]),
    true,
  );
  const places = Math.max(1, budgets.length * (names.length + 1) - 1);
  const facet = figure.panels.length > 1 ? { fx: "fx" } : {};
  return drawPlot({
    width: Math.max(usualWidth, 76 + figure.panels.length * places * 7),
    rows: 1,
    titled: grid.titled,
    styles,
    color: { domain: names, range: names.map((name) => styles.get(name)!.color), legend: true },
    symbol: { legend: false },
    x: {
      ...{ domain: [-0.5, places + 0.5], label: figure.x, labelAnchor: "center", labelArrow: "none" },
      ticks: budgets.map((_, i) => i * (names.length + 1) + names.length / 2),
      tickSize: 0,
      tickFormat: (middle: number) => compact(budgets[Math.floor(middle / (names.length + 1))]!),
    },
    y: { ...scale, inset: 0 },
    marks: [
      rules,
      ...grid.marks,
      ...(bars.length === 0 ? [emptyMark()] : []),
      Plot.rect(bars, {
        ...{ x1: "left", x2: "right", y1: () => 0, y2: "y", fill: "series", fillOpacity: 0.85 },
        ...{ title: "title", ...facet, ariaDescription: "bar" },
      }),
      Plot.ruleX(bars, {
        x: "middle",
        y1: "low",
        y2: "high",
        stroke: ink,
        strokeWidth: 1.25,
        ...facet,
        ariaDescription: "95% interval",
      }),
      Plot.ruleY([0], { stroke: ink }),
    ],
  });
}

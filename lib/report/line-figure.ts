/**
 * Figures made of lines: accuracy against a cost or a ratio, each point with its interval.
 *
 * Owns: logarithmic axes, setting coinciding points side by side, the marks of reached levels and the larger model's stars.
 * Must not know: where the data comes from.
 */
import * as Plot from "@observablehq/plot";
import type { BudgetFigure, FlopsFigure, FrontierFigure, Point, RatioFigure } from "./data.js";
import { compact, percent, ratio } from "./numbers.js";
import type { Styles } from "./palette.js";
import { accuracyAxis, emptyMark, ink, panelGrid, paper, drawPlot, usualWidth, type Picture } from "./plot-svg.js";

export type LineFigure = BudgetFigure | RatioFigure | FrontierFigure | FlopsFigure;

/** A point as it is drawn: in per cent, in its panel, moved aside where others share its x. */
interface Mark extends Point {
  readonly fx: number;
  readonly fy: number;
  readonly series: string;
  readonly title: string;
}

type Place = (panel: string) => { fx: number; fy: number };

export function drawLines(figure: LineFigure, styles: Styles): Picture {
  const panels = figure.panels.map(({ name }) => name);
  const columns = Math.min(3, Math.max(1, panels.length));
  const grid = panelGrid(panels, columns);
  const points = marksOf(figure, grid.place, [...styles.keys()]);
  const stars = figure.kind === "flops" ? starsOf(figure, grid.place) : [];
  const all = [...points, ...stars];

  const { scale, grid: rules } = accuracyAxis(
    all.flatMap(({ y, low, high }) => [y, low, high]),
    false,
  );
  const domain = costDomain(figure, all);
  const legend = new Map(styles);
  if (figure.kind === "flops" && stars.length > 0) legend.set(figure.starName, { color: ink, symbol: "star" });
  const facet = panels.length > 1 ? { fx: "fx", fy: "fy" } : {};
  const interval = { x: "x", y1: "low", y2: "high", stroke: "series", ...facet, ariaDescription: "95% interval" };
  return drawPlot({
    width: usualWidth,
    rows: grid.rows,
    titled: grid.titled || stars.length > 0,
    styles: legend,
    x: { type: "log", base: 2, domain },
    y: scale,
    marks: [
      rules,
      costTicks(figure, domain),
      ...grid.marks,
      ...(all.length === 0 ? [emptyMark()] : []),
      ...(figure.kind === "flops" ? starRules(stars, facet) : []),
      ...(figure.kind === "frontier" ? reachMarks(figure, scale.domain[0], domain) : []),
      Plot.ruleX(points, { ...interval, strokeWidth: 1.5, strokeOpacity: 0.6 }),
      Plot.line(points, { x: "x", y: "y", stroke: "series", strokeWidth: 2, ...facet }),
      Plot.dot(points, {
        ...{ x: "x", y: "y", symbol: "series", fill: "series", stroke: paper, strokeWidth: 0.75, r: 4.2 },
        ...{ title: "title", ...facet, ariaDescription: "point" },
      }),
      Plot.dot(stars, {
        ...{ x: "x", y: "y", symbol: "star", fill: "series", stroke: ink, strokeWidth: 0.75, r: 5.5 },
        ...{ title: "title", ...facet, ariaDescription: "star" },
      }),
      Plot.ruleX(stars, { ...interval, stroke: ink, strokeWidth: 1.25 }),
    ],
  });
}

function marksOf(figure: LineFigure, place: Place, names: readonly string[]): Mark[] {
  const aside = figure.kind === "budget" || figure.kind === "ratio" ? dodge(figure, names.length) : () => 1;
  return figure.panels.flatMap((panel) =>
    panel.series.flatMap(({ name, points }) =>
      points.map((point) => ({
        ...toPercent(point),
        ...place(panel.name),
        x: point.x * aside(names.indexOf(name)),
        series: name,
        title: `${name}\n${formatX(figure, point.x)}: ${interval(point)}`,
      })),
    ),
  );
}

function starsOf({ starName, stars }: FlopsFigure, place: Place): (Mark & { label: string })[] {
  return stars.map((star) => ({
    ...toPercent(star),
    ...place(star.panel),
    x: star.x,
    series: star.series,
    label: star.label,
    title: `${starName}, ${star.series}, ${star.label}\n${compact(star.x)}: ${interval(star)}`,
  }));
}

/** Factor on x by which series number i stands aside, so that intervals at the same x do not cover each other. */
function dodge(figure: LineFigure, count: number): (i: number) => number {
  const logs = xValues(figure).map(Math.log2);
  const gap = Math.min(2, ...logs.slice(1).map((log, i) => log - logs[i]!));
  const spacing = Math.min(0.06, 0.5 / count) * gap;
  return (i) => 2 ** ((i - (count - 1) / 2) * spacing);
}

/** Both ends of the x axis, with some air. */
function costDomain(figure: LineFigure, marks: readonly Mark[]): [number, number] {
  const reached = figure.kind === "frontier" ? figure.reaches.flatMap(({ x, baseline }) => [x, baseline.x]) : [];
  const drawn = [...marks.map(({ x }) => x), ...reached];
  const [least, most] = drawn.length > 0 ? [Math.min(...drawn), Math.max(...drawn)] : [1, 64];
  const air = Math.max(1.1, (most / least) ** 0.03);
  return [least / air, most * air];
}

function costTicks(figure: LineFigure, domain: readonly [number, number]): Plot.Markish {
  const values = xValues(figure);
  const given = (figure.kind === "budget" || figure.kind === "ratio") && values.length > 0;
  const ticks = given ? values : roundValues(...domain);
  return Plot.axisX(ticks.length > 1 ? ticks : values.slice(0, 1), {
    text: (x: number) => formatX(figure, x), // as a channel: a logarithmic axis leaves out labels of its own accord
    ...{ label: `${figure.x}, log scale`, labelAnchor: "center", labelArrow: "none" },
  });
}

/** At most eight values to label on a logarithmic axis: 1, 2, 5, 10, ... or fewer of each decade. */
function roundValues(least: number, most: number): number[] {
  const decades = Array.from({ length: 40 }, (_, i) => 10 ** (i - 9));
  const choices = [[1, 2, 5], [1, 3], [1]].map((digits) =>
    decades
      .flatMap((decade) => digits.map((digit) => digit * decade))
      .filter((value) => value >= least && value <= most),
  );
  return choices.find(({ length }) => length <= 8) ?? [least, most];
}

/** Levels reached, and drops from there to the axis. Labels are stacked above it: rising curves leave room there. */
function reachMarks(
  { reaches }: FrontierFigure,
  floor: number,
  [least, most]: readonly [number, number],
): Plot.Markish[] {
  const levels = reaches.map(({ baseline, ...rest }) => ({ ...rest, to: baseline.x, y: 100 * baseline.y, floor }));
  const dotted = { strokeDasharray: "2 3", strokeWidth: 1.25 };
  const ring = { y: "y", r: 8, strokeWidth: 1.5 };
  return [
    Plot.ruleY(levels, { y: "y", x1: "x", x2: "to", stroke: "var(--muted)", ...dotted, ariaDescription: "level" }),
    Plot.dot(levels, { ...ring, x: "to", stroke: "var(--muted)", ariaDescription: "baseline" }),
    Plot.ruleX(levels, { x: "x", y1: "floor", y2: "y", stroke: "series", ...dotted, ariaDescription: "drop" }),
    Plot.dot(levels, { ...ring, x: "x", stroke: "series", ariaDescription: "reached" }),
    ...levels.map((level, i) => {
      const roomy = Math.log(level.x / least) < 0.65 * Math.log(most / least);
      const side = roomy ? ({ textAnchor: "start", dx: 6 } as const) : ({ textAnchor: "end", dx: -6 } as const);
      return Plot.text([level], {
        ...{ x: "x", frameAnchor: "bottom", text: "label", ...side, dy: -6 - 18 * i },
        ...{ fill: "series", stroke: paper, strokeWidth: 5, fontWeight: 600, ariaDescription: "reach" },
      });
    }),
  ];
}

function starRules(stars: readonly (Mark & { label: string })[], facet: object): Plot.Markish[] {
  const unique = [...new Map(stars.map((star) => [`${star.fx} ${star.fy} ${star.x}`, star])).values()];
  return [
    Plot.ruleX(unique, { x: "x", stroke: "var(--muted)", strokeDasharray: "2 3", ...facet, ariaDescription: "ratio" }),
    Plot.text(unique, {
      ...{ x: "x", text: "label", frameAnchor: "top", dy: -5, lineAnchor: "bottom", fontSize: 12 },
      ...{ fill: "var(--muted)", ...facet, ariaDescription: "ratio label" },
    }),
  ];
}

function xValues(figure: LineFigure): number[] {
  const values = figure.panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(({ x }) => x)));
  return [...new Set(values)].sort((a, b) => a - b);
}

function formatX(figure: LineFigure, x: number): string {
  return figure.kind === "ratio" ? ratio(x) : compact(x);
}

function toPercent({ x, y, low, high }: Point): Point {
  return { x, y: 100 * y, low: 100 * low, high: 100 * high };
}

function interval({ y, low, high }: Point): string {
  return `${percent(y)}% [${percent(low)}, ${percent(high)}]`;
}

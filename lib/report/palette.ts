/**
 * Colours and symbols: the same one for the same method through a whole report.
 *
 * Owns: which colours there are, on white and on black; who gets which.
 * Must not know: what is measured.
 *
 * Pictures name CSS variables, never colours, so that one SVG serves light, dark and paper. Hues are Okabe and Ito's
 * where they last, told apart by the colour-blind; symbols differ too, for print without colour.
 */
import type { Figure } from "./data.js";
import { scoreColors } from "./score-scale.js";

export interface Style {
  /** A CSS colour. */
  readonly color: string;
  /** A symbol of Observable Plot. The star is not among them: it is the larger model's. */
  readonly symbol: string;
}

export type Styles = ReadonlyMap<string, Style>;

const methods = {
  light: "#0072b2 #d55e00 #00875f #b0508c #b87a00 #2f9bd6 #6650a4 #8c564b #6f7300 #5a6270".split(" "),
  dark: "#5ab4f0 #ff8f52 #3fcfa3 #eba3cf #f2c14e #a5dcff #b8a4f0 #d0a795 #c4c44a #b9c0cb".split(" "),
};
const ranks = {
  light: "#c29300 #7f9a10 #1f9a6c #008c95 #2a72a8 #46519b #4b2a7b".split(" "),
  dark: "#ffe066 #c3db4f #6ad39a #4cc3c9 #6aa9e0 #9a92e6 #cf9bf0".split(" "),
};
const symbols = "circle square triangle diamond hexagon cross wye".split(" ");

/** CSS declarations of every colour. */
export function paletteVariables(scheme: "light" | "dark"): string {
  return Object.entries({ method: methods, rank: ranks, score: scoreColors })
    .flatMap(([family, colors]) => colors[scheme].map((color, i) => `--${family}-${i}: ${color};`))
    .join(" ");
}

/** Colours for methods, in the order in which the report names them; the most distinct for compute-optimal's rivals. */
export function styleMethods(figures: readonly Figure[]): Styles {
  const first = figures.filter(({ kind }) => kind === "frontier");
  const names = new Set([...first, ...figures.filter((figure) => !isRanked(figure))].flatMap(seriesNames));
  return new Map(
    [...names].map((name, i) => [
      name,
      { color: `var(--method-${i % methods.light.length})`, symbol: symbols[i % symbols.length]! },
    ]),
  );
}

/** A figure's own styles: its methods' of the whole report, or a ramp where its series are bins or budgets in order. */
export function stylesOf(figure: Figure, report: Styles): Styles {
  const names = seriesNames(figure);
  if (!isRanked(figure)) return new Map(names.map((name) => [name, report.get(name)!]));
  const step = names.length > 1 ? (ranks.light.length - 1) / (names.length - 1) : 0;
  return new Map(
    names.map((name, i) => [
      name,
      { color: `var(--rank-${Math.round(i * step)})`, symbol: symbols[i % symbols.length]! },
    ]),
  );
}

function isRanked(figure: Figure): boolean {
  return figure.kind === "ratio" || figure.kind === "flops";
}

function seriesNames(figure: Figure): string[] {
  return [...new Set(figure.panels.flatMap(({ series }) => series.map(({ name }) => name)))];
}

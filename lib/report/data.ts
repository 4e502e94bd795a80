/**
 * What a report is made of, as plain JSON: the contract between who measures and who draws.
 *
 * Owns: the types, and the check that a drawing tells all of them.
 * Must not know: where the numbers come from (this machine or a recording), SVG, HTML.
 */
import { ThinkTreeError } from "../errors.js";
import type { TreeRecording } from "./recording.js";

/** One measurement. Accuracies are fractions in [0, 1]; pictures and tables show them as per cent. */
export interface Point {
  /** In the figure's own unit (`Figure.x`); above 0, for the axes are logarithmic. */
  readonly x: number;
  /** Accuracy in [0, 1]. */
  readonly y: number;
  /** Bounds of the 95% interval of y, in [0, 1]. They need not enclose y: a resampled interval may not. */
  readonly low: number;
  readonly high: number;
}

/** What one method (or bin, or budget) reached, in ascending x. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

/** One pair of axes. A figure with several draws them side by side on the same scales. */
export interface Panel {
  /** Shown above the axes where a figure has several. */
  readonly name: string;
  readonly series: readonly Series[];
}

/** What every figure has. */
interface FigureBase {
  /** Unique in the report; letters, digits, dashes: the anchor and the download's name. */
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  /** The command that measures this figure again. */
  readonly command: string;
  /** What x is, with its unit. */
  readonly x: string;
  readonly panels: readonly Panel[];
}

/** Search methods against budget (Snell et al. 2024, fig. 3 left): x in generations, one line per method. */
export interface BudgetFigure extends FigureBase {
  readonly kind: "budget";
}

/** Bars: one panel per difficulty bin, in it one group per budget, in it one bar per method (fig. 3 right). */
export interface BinsFigure extends FigureBase {
  readonly kind: "bins";
}

/** Sequential to parallel ratio (fig. 7): x = sequential / parallel, one line per budget or per bin, in their order. */
export interface RatioFigure extends FigureBase {
  readonly kind: "ratio";
}

/** Compute-optimal against baselines (figs. 4 and 8): one panel, x in tokens (or any cost), one line per method. */
export interface FrontierFigure extends FigureBase {
  readonly kind: "frontier";
  readonly reaches: readonly Reach[];
}

/** FLOPs-matched comparison (fig. 9): x in FLOPs a question, one line per bin, stars for the larger model. */
export interface FlopsFigure extends FigureBase {
  readonly kind: "flops";
  /** The larger model's name in the legend. */
  readonly starName: string;
  readonly stars: readonly Star[];
}

export type Figure = BudgetFigure | BinsFigure | RatioFigure | FrontierFigure | FlopsFigure;

/** Where one series comes to the level of a baseline's point. */
export interface Reach {
  /** Name of the series that gets there. */
  readonly series: string;
  /** The series' cost there. */
  readonly x: number;
  /** The baseline's point: its cost and its accuracy in [0, 1], the level to be reached. */
  readonly baseline: { readonly x: number; readonly y: number };
  /** Such as "4.2× fewer tokens". */
  readonly label: string;
}

/** The larger model at the FLOPs that a ratio R of inference to pretraining tokens gives it. */
export interface Star extends Point {
  readonly panel: string;
  /** The bin: name of a series of the panel. */
  readonly series: string;
  /** Such as "R = 0.16". Stars at one x have one label. */
  readonly label: string;
}

export type Verdict = "reproduced" | "not reproduced" | "unclear here";

/** One finding of the paper, held against what was measured. */
export interface Finding {
  readonly claim: string;
  /** Where the paper says so, such as "sec. 5.3, fig. 3". */
  readonly source: string;
  readonly verdict: Verdict;
  /** The measured numbers that the verdict rests on. */
  readonly evidence: string;
}

/** One question's search as a picture. */
export interface TreeView {
  /** Unique in the report, like a figure's. */
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly question: string;
  /** The right answer, to tell right solutions from wrong ones; null if unknown. */
  readonly expected: string | null;
  readonly recording: TreeRecording;
}

export interface Section {
  /** Unique in the report, like a figure's. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly figures: readonly Figure[];
  readonly trees: readonly TreeView[];
}

export interface Report {
  readonly title: string;
  readonly summary: string;
  /** The command that makes the whole report again. */
  readonly command: string;
  /** Machine, models, versions, dates: whatever the numbers depend on. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  readonly findings: readonly Finding[];
  readonly sections: readonly Section[];
}

/** @throws {ThinkTreeError} INVALID_OPTION: what a drawing would silently leave out or mix up. */
export function checkFigure(figure: Figure): void {
  const refuse = (what: string): never => {
    throw new ThinkTreeError("INVALID_OPTION", `figure ${figure.id}: ${what}`);
  };
  const checkPoint = ({ x, y, low, high }: Point, series: string) => {
    if (!(x > 0 && Number.isFinite(x))) refuse(`${series} has x = ${x}; give a finite number above 0`);
    for (const accuracy of [y, low, high]) {
      if (!(accuracy >= 0 && accuracy <= 1)) refuse(`${series} has ${accuracy} at x = ${x}; give fractions in [0, 1]`);
    }
    if (low > high) refuse(`${series} has an interval upside down at x = ${x}`);
  };
  const checkNames = (items: readonly { readonly name: string }[]) => {
    const names = items.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) refuse(`two of its panels or series are named ${twice}; rename one`);
  };
  const checkSeries = (panel: Panel | undefined, name: string) => {
    if (!panel?.series.some((series) => series.name === name)) refuse(`no panel has the series ${name} that it marks`);
  };
  checkNames(figure.panels);
  for (const { series } of figure.panels) {
    checkNames(series);
    for (const { name, points } of series) for (const point of points) checkPoint(point, name);
  }
  if (figure.kind === "flops") {
    for (const star of figure.stars) {
      checkPoint(star, star.label);
      checkSeries(
        figure.panels.find(({ name }) => name === star.panel),
        star.series,
      );
    }
  }
  if (figure.kind === "frontier") {
    if (figure.panels.length > 1) refuse("it has several panels; make a figure of each");
    for (const { series, x, baseline } of figure.reaches) {
      const level = { y: baseline.y, low: baseline.y, high: baseline.y };
      checkPoint({ x, ...level }, series);
      checkPoint({ x: baseline.x, ...level }, `${series}'s baseline`);
      checkSeries(figure.panels[0], series);
    }
  }
}

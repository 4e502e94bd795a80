/**
 * Observable Plot without a browser: a document to draw in, and the drawing as text.
 *
 * Owns: what all plots share: size of type, colours of grid and ink, how panels are set side by side.
 * Must not know: figures.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Styles } from "./palette.js";

export const ink = "var(--ink)";
export const paper = "var(--paper)";

/** Of every figure, unless it needs more. */
export const usualWidth = 856;
/** Of one pair of axes, without margins. */
const panelHeight = 320;
const titleHeight = 44;
const margin = { marginRight: 28, marginBottom: 48, marginLeft: 60 };

/** Places of panels on a grid, and the marks that name them. A single panel is not named. */
export function panelGrid(names: readonly string[], columns: number) {
  const place = (name: string) => {
    const i = names.indexOf(name);
    return { fx: i % columns, fy: Math.floor(i / columns) };
  };
  const titles = names.map((name) => ({ name, ...place(name) }));
  const title = Plot.text(titles, {
    ...{ fx: "fx", fy: "fy", text: "name", ariaDescription: "panel title" },
    ...{ frameAnchor: "top-left", dy: 14 - titleHeight, fontWeight: 600, fill: ink },
  });
  const titled = names.length > 1;
  return { place, titled, marks: titled ? [title] : [], rows: Math.max(1, Math.ceil(names.length / columns)) };
}

// Plot's own type speaks of the browser's, which this project does not load.
const draw = Plot.plot as unknown as (options: object) => { readonly outerHTML: string };

/** A drawn figure. */
export interface Picture {
  /** A legend and an SVG. Its text is escaped by the document; colours are the page's CSS variables. */
  readonly html: string;
  /** The SVG's own size in pixels. */
  readonly width: number;
  readonly height: number;
}

export function drawPlot(
  options: Plot.PlotOptions & { width: number; rows: number; titled: boolean; styles: Styles },
): Picture {
  const { rows, titled, styles, ...rest } = options;
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as { document: object };
  const names = [...styles.keys()];
  const marginTop = titled ? titleHeight : 24;
  const height = marginTop + margin.marginBottom + rows * panelHeight + (rows - 1) * titleHeight;
  const plot = draw({
    ...{ document, height },
    ...{ ...margin, marginTop },
    style: { fontSize: "13px", fontFamily: "inherit", background: "none" },
    fx: { axis: null, padding: 0.1 },
    fy: { axis: null, padding: rows > 1 ? 0.2 : 0 },
    color: { domain: names, range: names.map((name) => styles.get(name)!.color) },
    symbol: { domain: names, range: names.map((name) => styles.get(name)!.symbol), legend: true },
    figure: true,
    ...rest,
  });
  return { html: plot.outerHTML, width: options.width, height };
}

/** The y axis of every figure: accuracy in per cent, with its grid. */
export function accuracyAxis(
  values: readonly number[],
  fromZero: boolean,
): { scale: Plot.ScaleOptions & { domain: [number, number] }; grid: Plot.Markish } {
  const [least, most] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 100];
  const air = Math.max(2, (most - least) / 20);
  const domain: [number, number] = [
    fromZero ? 0 : Math.max(0, Math.floor(least - air)),
    Math.min(100, Math.ceil(most + air)),
  ];
  return {
    scale: { domain, label: "accuracy (%)", labelAnchor: "center", labelArrow: "none", ticks: 6, inset: 4 },
    grid: Plot.gridY({ ticks: 6, stroke: "var(--rule)", strokeOpacity: 1 }),
  };
}

/** Said in the axes' middle where there is nothing to draw. */
export function emptyMark(): Plot.Markish {
  return Plot.text(["nothing was measured"], { frameAnchor: "middle", fill: "var(--muted)" });
}

/**
 * A figure's data as a picture. The same for live results and for recorded ones.
 *
 * Owns: which drawing serves which kind. Must not know: where the data comes from, the page around it.
 */
import { drawBars } from "./bar-figure.js";
import { checkFigure, type Figure } from "./data.js";
import { drawLines } from "./line-figure.js";
import { stylesOf, type Styles } from "./palette.js";
import type { Picture } from "./plot-svg.js";

/**
 * @param styles Of the whole report's methods (`styleMethods`), so that a method keeps its colour from figure to figure.
 * @throws {ThinkTreeError} INVALID_OPTION: a point that cannot be drawn.
 */
export function drawFigure(figure: Figure, styles: Styles): Picture {
  checkFigure(figure);
  const own = stylesOf(figure, styles);
  return figure.kind === "bins" ? drawBars(figure, own) : drawLines(figure, own);
}

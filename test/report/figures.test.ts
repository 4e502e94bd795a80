import { describe, expect, it } from "vitest";
import type { Figure } from "../../lib/report/data.js";
import { drawFigure } from "../../lib/report/figures.js";
import { styleMethods } from "../../lib/report/palette.js";
import { elements, marks, parseMarkup, type Element } from "./markup.js";
import { binsFigure, budgetFigure, flopsFigure, frontierFigure, hostile, point, ratioFigure } from "./samples.js";

function draw(figure: Figure): Element {
  return parseMarkup(drawFigure(figure, styleMethods([figure])).html);
}

function texts(top: Element): string[] {
  return elements(top).flatMap(({ children }) => children.filter((child) => typeof child === "string"));
}

const pointsOf = (figure: Figure) => figure.panels.flatMap(({ series }) => series.flatMap(({ points }) => points));

describe("every figure", () => {
  it.each([
    budgetFigure({ majority: [1, 4, 16].map((x) => point(x, 0.3)), beam: [1, 4].map((x) => point(x, 0.4)) }),
    ratioFigure(),
    frontierFigure(),
    flopsFigure(),
    binsFigure(),
  ])("$kind: well-formed, a mark and an interval for each point, its title in words", (figure) => {
    const picture = draw(figure);
    const stars = figure.kind === "flops" ? figure.stars.length : 0;
    expect(marks(picture, figure.kind === "bins" ? "bar" : "point")).toHaveLength(pointsOf(figure).length);
    expect(marks(picture, "star")).toHaveLength(stars);
    expect(marks(picture, "95% interval")).toHaveLength(pointsOf(figure).length + stars);
    const titles = elements(picture).filter(({ name }) => name === "title");
    expect(titles).toHaveLength(pointsOf(figure).length + stars);
    for (const { children } of titles) expect(children[0]).toMatch(/: \d+\.\d% \[\d+\.\d, \d+\.\d\]$/);
    for (const { attributes } of elements(picture))
      expect(Object.values(attributes).join(" ")).not.toMatch(/NaN|undefined/);
  });

  it("puts intervals where the numbers say", () => {
    const wide = { x: 4, y: 0.5, low: 0.25, high: 1 };
    const narrow = { x: 4, y: 0.5, low: 0.5, high: 0.5 };
    const lengths = marks(draw(budgetFigure({ wide: [wide], narrow: [narrow] })), "95% interval").map(
      ({ attributes: { y1, y2 } }) => Math.abs(Number(y1) - Number(y2)),
    );
    expect(lengths[0]).toBeGreaterThan(150);
    expect(lengths[1]).toBe(0);
    const [left, right] = marks(draw(budgetFigure({ wide: [wide], narrow: [narrow] })), "95% interval").map(
      ({ attributes }) => Number(attributes["x1"]),
    );
    expect(right! - left!).toBeGreaterThan(3);
  });

  it("escapes hostile names", () => {
    const picture = draw({ ...budgetFigure({ [hostile]: [point(1, 0.5)] }), x: hostile });
    expect(elements(picture).map(({ name }) => name)).not.toContain("script");
    expect(texts(picture).join(" ")).toContain("&lt;script&gt;");
  });

  it.each([
    ["a single point", { beam: [point(16, 0.5)] }, 1],
    ["an empty series", { beam: [], majority: [point(1, 0.2), point(4, 0.3)] }, 2],
    ["equal values", { beam: [1, 4, 16].map((x) => ({ x, y: 0.5, low: 0.5, high: 0.5 })) }, 3],
    ["nothing but full marks", { beam: [1, 4].map((x) => ({ x, y: 1, low: 1, high: 1 })) }, 2],
    ["nothing but failures", { beam: [1, 4].map((x) => ({ x, y: 0, low: 0, high: 0 })) }, 2],
  ])("draws %s", (_, series, count) => {
    for (const figure of [budgetFigure(series), { ...binsFigure(), panels: budgetFigure(series).panels }]) {
      const picture = draw(figure);
      expect(marks(picture, figure.kind === "bins" ? "bar" : "point")).toHaveLength(count);
      expect(marks(picture, "95% interval")).toHaveLength(count);
      expect(marks(picture, "y-axis tick label").length).toBeGreaterThan(1);
      for (const { attributes } of marks(picture, "95% interval")) {
        for (const end of [attributes["y1"], attributes["y2"]]) {
          expect(Number(end)).toBeGreaterThanOrEqual(0);
          expect(Number(end)).toBeLessThanOrEqual(400);
        }
      }
    }
  });

  it("says so where nothing was measured", () => {
    for (const figure of [
      budgetFigure({}),
      { ...binsFigure(), panels: [] },
      { ...flopsFigure(), panels: [], stars: [] },
    ]) {
      expect(texts(draw(figure))).toContain("nothing was measured");
    }
  });

  it.each([
    ["x of 0", { ...point(1, 0.5), x: 0 }, "x = 0"],
    ["no number", { ...point(1, 0.5), y: NaN }, "NaN"],
    ["per cent", { ...point(1, 0.5), high: 55 }, "fractions"],
    ["an interval upside down", { x: 1, y: 0.5, low: 0.6, high: 0.4 }, "upside down"],
  ])("refuses %s", (_, bad, message) => {
    expect(() => draw(budgetFigure({ beam: [bad] }))).toThrow(message);
    expect(() => draw({ ...flopsFigure(), stars: [{ ...bad, panel: "search", series: "bin 1", label: "R" }] })).toThrow(
      message,
    );
  });
});

it("refuses marks and names that a reader could not place", () => {
  const [stars, frontier] = [flopsFigure(), frontierFigure()];
  expect(() => draw({ ...stars, stars: [{ ...stars.stars[0]!, panel: "elsewhere" }] })).toThrow("no panel has");
  expect(() => draw({ ...frontier, reaches: [{ ...frontier.reaches[0]!, series: "beam" }] })).toThrow("no panel has");
  expect(() => draw({ ...frontier, panels: [...frontier.panels, { name: "more", series: [] }] })).toThrow(
    "several panels",
  );
  expect(() => draw({ ...stars, panels: [...stars.panels, ...stars.panels] })).toThrow("named search");
});

describe("axes", () => {
  it("label the budgets and the ratios that were measured", () => {
    const labels = (figure: Figure) => texts(parseMarkup(drawFigure(figure, styleMethods([figure])).html));
    expect(labels(budgetFigure({ beam: [1, 4, 16, 64].map((x) => point(x, 0.5)) }))).toEqual(
      expect.arrayContaining(["1", "4", "16", "64", "budget (generations), log scale", "accuracy (%)"]),
    );
    expect(labels(ratioFigure())).toEqual(expect.arrayContaining(["1:16", "1:4", "1:1", "4:1", "16:1"]));
    expect(labels(flopsFigure())).toEqual(expect.arrayContaining(["1 G", "2 G", "R = 0.16"]));
  });

  it("mark where the level of best-of-N is reached", () => {
    const picture = draw(frontierFigure());
    expect(marks(picture, "reached")).toHaveLength(1);
    expect(texts(picture)).toContain("4.0× fewer tokens");
  });
});

describe("colours", () => {
  it("stay with their method from figure to figure", () => {
    const [one, two] = [budgetFigure({ a: [point(1, 0.5)], b: [point(1, 0.5)] }), budgetFigure({ b: [point(1, 0.5)] })];
    const styles = styleMethods([one, two]);
    const [first, again] = [one, two].map((figure) => marks(parseMarkup(drawFigure(figure, styles).html), "point"));
    expect(first![1]!.attributes["fill"]).toBe("var(--method-1)");
    expect(again![0]!.attributes["fill"]).toBe("var(--method-1)");
  });

  it("are a ramp for bins in order", () => {
    const fills = marks(draw(flopsFigure()), "point").map(({ attributes }) => attributes["fill"]);
    expect(new Set(fills)).toEqual(new Set(["var(--rank-0)", "var(--rank-6)"]));
  });
});

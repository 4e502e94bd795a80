/**
 * Figures and recorded searches to be drawn. Owns: made-up numbers. Must not know: how they are drawn.
 */
import type {
  BinsFigure,
  BudgetFigure,
  FlopsFigure,
  FrontierFigure,
  Point,
  RatioFigure,
  TreeView,
} from "../../lib/report/data.js";
import { recordTree } from "../../lib/report/tree-recorder.js";
import type { Strategy } from "../../lib/strategies/index.js";
import { answerOf } from "../strategies/problems.js";
import { ToyTree, type ToySteps } from "../support/toy-tree.js";

export const hostile = `"><script>alert('&amp;')</script>`;

const common = { title: "A title", caption: "A caption.", command: "thinktree reproduce" };

export function point(x: number, y: number): Point {
  return { x, y, low: Math.max(0, y - 0.05), high: Math.min(1, y + 0.05) };
}

export function budgetFigure(series: Record<string, readonly Point[]>): BudgetFigure {
  const panel = { name: "all", series: Object.entries(series).map(([name, points]) => ({ name, points })) };
  return { ...common, kind: "budget", id: "budget", x: "budget (generations)", panels: [panel] };
}

export function ratioFigure(): RatioFigure {
  const points = [1 / 16, 1 / 4, 1, 4, 16].map((x) => point(x, 0.5));
  const panels = ["verifier", "majority"].map((name) => ({ name, series: [{ name: "N = 16", points }] }));
  return { ...common, kind: "ratio", id: "ratio", x: "sequential : parallel", panels };
}

export function binsFigure(): BinsFigure {
  const panels = ["bin 1", "bin 2"].map((name, bin) => ({
    name,
    series: ["majority", "beam"].map((method) => ({
      name: method,
      points: [1, 4, 16].map((x) => point(x, 0.9 - bin / 2)),
    })),
  }));
  return { ...common, kind: "bins", id: "bins", x: "budget (generations)", panels };
}

export function frontierFigure(): FrontierFigure {
  const series = ["best-of-N weighted", "predicted"].map((name, i) => ({
    name,
    points: [60, 240, 960].map((x, j) => point(x, 0.4 + 0.1 * j + 0.05 * i)),
  }));
  const reaches = [{ series: "predicted", x: 240, baseline: { x: 960, y: 0.6 }, label: "4.0× fewer tokens" }];
  return { ...common, kind: "frontier", id: "frontier", x: "tokens", panels: [{ name: "all", series }], reaches };
}

export function flopsFigure(): FlopsFigure {
  const series = ["bin 1", "bin 2"].map((name) => ({ name, points: [1e9, 4e9].map((x) => point(x, 0.5)) }));
  const stars = ["bin 1", "bin 2"].map((name) => ({
    ...point(4e9, 0.6),
    panel: "search",
    series: name,
    label: "R = 0.16",
  }));
  const panels = [{ name: "search", series }];
  return { ...common, kind: "flops", id: "flops", x: "FLOPs", panels, starName: "14× larger", stars };
}

/** A search on a toy tree, watched from the first step to the choice. */
export async function watch(
  strategy: Strategy,
  steps: ToySteps,
  options: ConstructorParameters<typeof ToyTree>[1] = {},
) {
  const watched = recordTree(strategy);
  const tree = new ToyTree(steps, options);
  const solutions = await watched.strategy.explore(tree, { answerOf });
  const candidates = watched.strategy.rank(solutions);
  return { tree, solutions, candidates, recording: watched.recording };
}

export function viewOf(recording: TreeView["recording"], id = "tree"): TreeView {
  return { id, title: "A search", caption: "A caption.", question: "Which is right?", expected: "right", recording };
}

/**
 * What is drawn of a search, and where: places in pixels, words, marks.
 *
 * Owns: sizes, the words on and about each box. Colours are the page's.
 * Must not know: how it becomes a picture. The browser reads it too: nothing of Node here.
 */
import type { TreeRecording } from "./recording.js";
import { scoreLevel } from "./score-scale.js";
import { layOut, type Box } from "./tree-layout.js";

const column = 154;
const row = 25;
const edge = 14;
/** Characters that fit into a box beside the score. */
const room = 11;

/** Of every box, in pixels. */
export const boxSize = { width: 134, height: 20 };

/** What boxes and edges have in common. */
interface DrawnPart {
  readonly id: number;
  /** Of the box it follows; null: the question. */
  readonly parent: number | null;
  /** Class names: given, solution, chosen, pruned. */
  readonly state: string;
  readonly round: number;
  readonly pruned: number | null;
  /** How many equal steps it stands for. */
  readonly count: number;
}

/** The way to a step; its id is the step's. */
interface DrawnEdge extends DrawnPart {
  /** An SVG path's. */
  readonly d: string;
}

interface DrawnBox extends DrawnPart {
  readonly x: number;
  readonly y: number;
  /** Of the score scale; null: not scored. */
  readonly level: number | null;
  readonly score: string;
  /** Of the words, from the box's left. */
  readonly indent: number;
  readonly words: string;
  readonly mark: string;
  /** Everything about the step but its text. */
  readonly note: string;
  readonly text: string;
}

interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly question: { readonly x: number; readonly y: number; readonly words: string; readonly text: string };
  readonly edges: readonly DrawnEdge[];
  /** Column by column. */
  readonly boxes: readonly DrawnBox[];
}

/** `expected`: the right answer, to tell right solutions from wrong ones; null if unknown. */
export function drawingOf(recording: TreeRecording, question: string, expected: string | null): Drawing {
  const { boxes, rows, columns } = layOut(recording);
  const x = (depth: number) => edge + depth * column;
  const y = (at: number) => edge + at * row + boxSize.height / 2;
  return {
    ...{ width: 2 * edge + (columns - 1) * column + boxSize.width, height: 2 * edge + rows * row },
    question: { x: x(0), y: y(0) - boxSize.height / 2, words: shorten(question, room + 7), text: question },
    edges: boxes.map((child) => ({
      ...partOf(child),
      d: child.step.given
        ? bracket(x(child.depth), y(attemptOf(child)?.row ?? 0), y(child.row))
        : curve(x(child.depth - 1) + boxSize.width, y(child.parent?.row ?? 0), x(child.depth), y(child.row)),
    })),
    boxes: boxes.map((child) => ({
      ...partOf(child),
      ...{ x: x(child.depth), y: y(child.row) - boxSize.height / 2 },
      level: child.step.score === null ? null : scoreLevel(child.step.score),
      score: child.step.given ? "" : (child.step.score?.toFixed(2) ?? "–"),
      indent: child.step.given ? 8 : 51,
      words: shorten(child.step.text, roomOf(child)),
      mark: child.step.solution ? verdict(child.step.solution.answer, expected, "✓", "✗") || "■" : "",
      note: describe(child, expected),
      text: child.step.text,
    })),
  };
}

function roomOf({ step, count }: Box): number {
  return room + (step.given ? 6 : 0) - (count > 1 ? 4 : 0) - (step.solution ? 2 : 0);
}

function partOf({ step, count, chosen, parent }: Box): DrawnPart {
  const kind = step.given ? "given" : step.solution ? "solution" : "";
  const state = `${kind} ${chosen ? "chosen" : ""} ${step.pruned === null ? "" : "pruned"}`.trim();
  return { state, round: step.round, pruned: step.pruned, count, id: step.id, parent: parent?.step.id ?? null };
}

/** What a step's details say, but for its text. */
function describe({ step, count, alike }: Box, expected: string | null) {
  const { given, round, score, tokens, pruned, solution } = step;
  if (given) return `round ${round} · given by the strategy`;
  return [
    `round ${round}`,
    score === null ? "not scored" : `score ${score.toFixed(3)}`,
    `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
    ...(count > 1 ? [alike ? `${count} equal steps` : `the best of ${count} pruned together`] : []),
    ...(pruned === null ? [] : [`pruned in round ${pruned}`]),
    ...(solution ? [`${solution.whole ? "solution" : "cut off"}: ${solution.answer ?? "no answer"}`] : []),
    ...(solution ? [verdict(solution.answer, expected, "right", "wrong")].filter(Boolean) : []),
  ].join(" · ");
}

/** What to say of an answer; nothing where the right one is unknown. */
export function verdict(answer: string | null, expected: string | null, right: string, wrong: string): string {
  return expected === null ? "" : answer === expected ? right : wrong;
}

/** One line, at most `length` characters. */
function shorten(text: string, length: number): string {
  const characters = [...text.replace(/\s+/g, " ").trim()];
  return characters.length > length ? `${characters.slice(0, length - 1).join("")}…` : characters.join("");
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const middle = (x1 + x2) / 2;
  return `M${x1},${y1}C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
}

/** From the left end of one box to that of another further down: an attempt and the next. */
function bracket(x: number, y1: number, y2: number): string {
  return `M${x},${y1}C${x - 16},${y1} ${x - 16},${y2} ${x},${y2}`;
}

/** Where the attempt begins that a given text follows. */
function attemptOf({ parent }: Box): Box | null {
  let first = parent;
  while (first && !first.step.given && first.parent) first = first.parent;
  return first;
}

/**
 * The tree viewer: one question's search as a picture, from left to right, to be gone through round by round.
 *
 * Owns: the viewer's HTML and SVG; what is said of each step. Colours are the page's; `tree-script.ts` moves it.
 * Must not know: the strategy, where the search ran.
 */
import { Eta } from "eta";
import type { TreeView } from "./data.js";
import { scoreLevel, scoreLevels } from "./palette.js";
import { layOut, type Box } from "./tree-layout.js";
import type { RecordedStep } from "./tree-recorder.js";

const column = 154;
const row = 25;
const box = { width: 134, height: 20 };
const edge = 14;
/** Characters that fit into a box beside the score. */
const room = 11;

const eta = new Eta({ autoEscape: true });

/** @returns HTML. All text of the search is escaped. */
export function treePicture(view: TreeView): string {
  const { recording, expected } = view;
  const { boxes, rows, columns } = layOut(recording);
  const x = (depth: number) => edge + depth * column;
  const y = (at: number) => edge + at * row + box.height / 2;
  const right = recording.chosen === null ? null : recording.steps[recording.chosen]!.solution;
  return eta.renderString(template, {
    ...{ id: view.id, rounds: recording.rounds, box, levels: scoreLevels },
    ...{ width: 2 * edge + (columns - 1) * column + box.width, height: 2 * edge + rows * row },
    question: { x: x(0), y: y(0) - box.height / 2, words: shorten(view.question, room + 7), text: view.question },
    strategy: nameOf(recording),
    answer: right ? `${right.answer ?? "no answer"}${verdict(right.answer, expected, " (right)", " (wrong)")}` : null,
    edges: boxes.map((child) => ({
      ...stateOf(child),
      d: child.step.given
        ? bracket(x(child.depth), y(attemptOf(child)?.row ?? 0), y(child.row))
        : curve(x(child.depth - 1) + box.width, y(child.parent?.row ?? 0), x(child.depth), y(child.row)),
    })),
    boxes: boxes.map((child) => ({
      ...stateOf(child),
      ...{ x: x(child.depth), y: y(child.row) - box.height / 2 },
      level: child.step.score === null ? null : scoreLevel(child.step.score),
      score: child.step.given ? "" : (child.step.score?.toFixed(2) ?? "–"),
      words: shorten(child.step.text, roomOf(child)),
      mark: child.step.solution ? verdict(child.step.solution.answer, expected, "✓", "✗") || "■" : "",
      note: describe(child.step, child.count, expected),
      text: child.step.text,
    })),
  });
}

function roomOf({ step, count }: Box): number {
  return room + (step.given ? 6 : 0) - (count > 1 ? 4 : 0) - (step.solution ? 2 : 0);
}

function stateOf({ step, count, chosen, parent }: Box) {
  const kind = step.given ? "given" : step.solution ? "solution" : "";
  const state = `${kind} ${chosen ? "chosen" : ""} ${step.pruned === null ? "" : "pruned"}`.trim();
  return { state, round: step.round, pruned: step.pruned ?? "", count, id: step.id, parent: parent?.step.id ?? "" };
}

/** What a step's details say, but for its text. */
function describe(
  { given, round, score, tokens, pruned, solution }: RecordedStep,
  count: number,
  expected: string | null,
) {
  if (given) return `round ${round} · given by the strategy`;
  return [
    `round ${round}`,
    score === null ? "not scored" : `score ${score.toFixed(3)}`,
    `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
    ...(count > 1 ? [`${count} equal steps`] : []),
    ...(pruned === null ? [] : [`pruned in round ${pruned}`]),
    ...(solution ? [`${solution.whole ? "solution" : "cut off"}: ${solution.answer ?? "no answer"}`] : []),
    ...(solution ? [verdict(solution.answer, expected, "right", "wrong")].filter(Boolean) : []),
  ].join(" · ");
}

function verdict(answer: string | null, expected: string | null, right: string, wrong: string): string {
  return expected === null ? "" : answer === expected ? right : wrong;
}

function nameOf({ strategy, options }: TreeView["recording"]): string {
  const settings = Object.entries(options)
    .filter(([, value]) => ["number", "string", "boolean"].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`);
  return [strategy, ...settings].join(", ");
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

const template = `
<div class="tree final" data-rounds="<%= it.rounds %>">
  <div class="tree-head">
    <div class="tree-controls"<% if (it.rounds < 2) { %> hidden<% } %>>
      <button type="button" data-go="-1" aria-label="Previous round">◀</button>
      <input type="range" min="1" max="<%= Math.max(1, it.rounds) %>" value="<%= Math.max(1, it.rounds) %>" step="1" aria-label="Round">
      <button type="button" data-go="1" aria-label="Next round">▶</button>
    </div>
    <output class="tree-status" aria-live="polite"></output>
    <span class="tree-key" aria-hidden="true">
      <span>score 0 <% for (let i = 0; i < it.levels; i++) { %><i class="level-<%= i %>"></i><% } %> 1</span>
      <span><i class="key-kept"></i> kept</span>
      <span><i class="key-pruned"></i> pruned</span>
      <span><i class="key-chosen"></i> chosen</span>
      <span>✓ ✗ ■ solution</span>
    </span>
  </div>
  <div class="scroll" role="region" aria-label="Search tree; arrow keys go from step to step">
    <svg viewBox="0 0 <%= it.width %> <%= it.height %>" width="<%= it.width %>" height="<%= it.height %>" role="group" aria-label="<%= it.strategy %>">
      <g class="edges" aria-hidden="true"><% it.edges.forEach((edge) => { %>

        <path class="<%= edge.state %>" data-round="<%= edge.round %>" data-pruned="<%= edge.pruned %>" d="<%= edge.d %>" /><% }) %>

      </g>
      <g class="question step" id="<%= it.id %>-q" tabindex="0" role="img" transform="translate(<%= it.question.x %>,<%= it.question.y %>)" data-text="<%= it.question.text %>" data-note="question" aria-label="question: <%= it.question.text %>">
        <rect class="box" width="<%= it.box.width %>" height="<%= it.box.height %>" rx="4" />
        <text x="8" y="14"><%= it.question.words %></text>
      </g><% it.boxes.forEach((box) => { %>

      <g class="step <%= box.state %>" id="<%= it.id %>-<%= box.id %>" tabindex="-1" role="img" transform="translate(<%= box.x %>,<%= box.y %>)" data-round="<%= box.round %>" data-pruned="<%= box.pruned %>" data-count="<%= box.count %>" data-parent="<%= it.id %>-<%= box.parent === "" ? "q" : box.parent %>" data-text="<%= box.text %>" data-note="<%= box.note %>" aria-label="<%= box.note %>: <%= box.text %>">
        <rect class="box" width="<%= it.box.width %>" height="<%= it.box.height %>" rx="4" />
        <% if (box.level !== null) { %><rect class="chip level-<%= box.level %>" x="3.5" y="3.5" width="10" height="<%= it.box.height - 7 %>" rx="2" /><% } %>

        <text class="score" x="17" y="14"><%= box.score %></text>
        <text class="words" x="<%= box.score === "" ? 8 : 51 %>" y="14"><%= box.words %></text>
        <% if (box.count > 1) { %><text class="count" x="<%= it.box.width - 6 %>" y="14">×<%= box.count %></text><% } %>

        <% if (box.mark !== "") { %><text class="mark" x="<%= it.box.width - 6 %>" y="14"><%= box.mark %></text><% } %>

      </g><% }) %>

    </svg>
  </div>
  <div class="tree-details">
    <p class="note">Point at a step, or go there with the arrow keys.</p>
    <pre></pre>
  </div>
  <p class="tree-answer"><b><%= it.strategy %></b><% if (it.answer !== null) { %> chose <b><%= it.answer %></b><% } %></p>
</div>`;

/**
 * The tree viewer: one question's search as a picture, from left to right, to be gone through round by round.
 *
 * Owns: the viewer's HTML and SVG. Colours are the page's; `tree-script.ts` moves it.
 * Must not know: the strategy, where the search ran.
 */
import { Eta } from "eta";
import type { TreeView } from "./data.js";
import { scoreLevels } from "./score-scale.js";
import { boxSize, drawingOf, verdict } from "./tree-drawing.js";

const eta = new Eta({ autoEscape: true });

/** @returns HTML. All text of the search is escaped. */
export function treePicture({ id, question, expected, recording }: TreeView): string {
  const right = recording.chosen === null ? null : recording.steps[recording.chosen]!.solution;
  return eta.renderString(template, {
    ...{ id, rounds: recording.rounds, box: boxSize, levels: scoreLevels, strategy: nameOf(recording) },
    ...drawingOf(recording, question, expected),
    answer: right ? `${right.answer ?? "no answer"}${verdict(right.answer, expected, " (right)", " (wrong)")}` : null,
  });
}

function nameOf({ strategy, options }: TreeView["recording"]): string {
  const settings = Object.entries(options)
    .filter(([, value]) => ["number", "string", "boolean"].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`);
  return [strategy, ...settings].join(", ");
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
    <svg viewBox="0 0 <%= it.width %> <%= it.height %>" width="<%= it.width %>" height="<%= it.height %>" role="group" aria-label="<%= it.strategy || "search" %>">
      <g class="edges" aria-hidden="true"><% it.edges.forEach((edge) => { %>

        <path class="<%= edge.state %>" data-round="<%= edge.round %>" data-pruned="<%= edge.pruned ?? "" %>" d="<%= edge.d %>" /><% }) %>

      </g>
      <g class="question step" id="<%= it.id %>-q" tabindex="0" role="img" transform="translate(<%= it.question.x %>,<%= it.question.y %>)" data-text="<%= it.question.text %>" data-note="question" aria-label="question: <%= it.question.text %>">
        <rect class="box" width="<%= it.box.width %>" height="<%= it.box.height %>" rx="4" />
        <text x="8" y="14"><%= it.question.words %></text>
      </g><% it.boxes.forEach((box) => { %>

      <g class="step <%= box.state %>" id="<%= it.id %>-<%= box.id %>" tabindex="-1" role="img" transform="translate(<%= box.x %>,<%= box.y %>)" data-round="<%= box.round %>" data-pruned="<%= box.pruned ?? "" %>" data-count="<%= box.count %>" data-parent="<%= it.id %>-<%= box.parent ?? "q" %>" data-text="<%= box.text %>" data-note="<%= box.note %>" aria-label="<%= box.note %>: <%= box.text %>">
        <rect class="box" width="<%= it.box.width %>" height="<%= it.box.height %>" rx="4" />
        <% if (box.level !== null) { %><rect class="chip level-<%= box.level %>" x="3.5" y="3.5" width="10" height="<%= it.box.height - 7 %>" rx="2" /><% } %>

        <text class="score" x="17" y="14"><%= box.score %></text>
        <text class="words" x="<%= box.indent %>" y="14"><%= box.words %></text>
        <% if (box.count > 1) { %><text class="count" x="<%= it.box.width - 6 %>" y="14">×<%= box.count %></text><% } %>

        <% if (box.mark !== "") { %><text class="mark" x="<%= it.box.width - 6 %>" y="14"><%= box.mark %></text><% } %>

      </g><% }) %>

    </svg>
  </div>
  <div class="tree-details">
    <p class="note">Point at a step, or go there with the arrow keys.</p>
    <pre></pre>
  </div>
<% if (it.strategy !== "") { %>
  <p class="tree-answer"><b><%= it.strategy %></b><% if (it.answer !== null) { %> chose <b><%= it.answer %></b><% } %></p>
<% } %>
</div>`;

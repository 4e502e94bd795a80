/**
 * A benchmark's figures as one SVG file, for light and dark alike.
 *
 * Owns: the sheet: title, what was measured where, the figures below each other.
 * Must not know: what the figures show.
 */
import { Eta } from "eta";
import type { Benchmark } from "../benchmark/results.js";
import { benchmarkFacts } from "./benchmark-facts.js";
import { benchmarkFigures } from "./benchmark-figures.js";
import { colorsOf } from "./page-style.js";

const eta = new Eta({ autoEscape: true });
const margin = 24;
const headHeight = 114;
/** Above and below a figure's axes. */
const [titleHeight, captionHeight] = [30, 44];

const template = `<svg xmlns="http://www.w3.org/2000/svg" class="thinktree-benchmark" role="img" aria-label="<%= it.title %>" width="<%= it.width %>" height="<%= it.height %>" viewBox="0 0 <%= it.width %> <%= it.height %>">
<style><%~ it.style %></style>
<rect class="sheet" width="100%" height="100%"/>
<text class="title" x="${margin}" y="38"><%= it.title %></text>
<% it.facts.forEach((fact, i) => { %>
<text class="fact" x="${margin}" y="<%= 62 + 18 * i %>"><%= fact %></text>
<% }) %>
<% it.figures.forEach((figure) => { %>
<text class="heading" x="${margin}" y="<%= figure.top %>"><%= figure.title %></text>
<svg x="${margin}" y="<%= figure.top + 12 %>" width="<%= figure.picture.width %>" height="<%= figure.picture.height %>"><%~ figure.picture.html %></svg>
<text class="fact" x="${margin}" y="<%= figure.top + 12 + figure.picture.height + 16 %>"><%= figure.caption %></text>
<% }) %>
</svg>
`;

const style = `${colorsOf(".thinktree-benchmark")}
.thinktree-benchmark { --plot-background: var(--paper);
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
.thinktree-benchmark .sheet { fill: var(--paper); }
.thinktree-benchmark > text { fill: var(--ink); }
.thinktree-benchmark > .title { font-size: 20px; font-weight: 600; }
.thinktree-benchmark > .heading { font-size: 15px; font-weight: 600; }
.thinktree-benchmark > .fact { fill: var(--muted); }
.thinktree-benchmark svg { color: var(--ink); }`;

/** @returns An SVG document that loads nothing. Texts are escaped. */
export function benchmarkSvg(found: Benchmark): string {
  const facts = new Map(benchmarkFacts(found).map(({ name, value }) => [name, value]));
  let top = headHeight + titleHeight;
  const figures = benchmarkFigures(found).map((figure) => {
    const placed = { ...figure, top };
    top += figure.picture.height + titleHeight + captionHeight;
    return placed;
  });
  const width = Math.max(...figures.map(({ picture }) => picture.width)) + 2 * margin;
  return eta.renderString(template, {
    ...{ style, figures, width, height: top - titleHeight, title: "thinktree bench" },
    facts: [
      `Generator: ${facts.get("generator")!}`,
      `Verifier: ${facts.get("verifier")!}`,
      `${facts.get("machine")!}; ${facts.get("work")!}`,
    ],
  });
}

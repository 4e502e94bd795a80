/**
 * The page where a question is asked and its tree is seen growing: its HTML, and the files it is made of.
 *
 * Owns: markup, choices, what the browser may load and run. `browser/` is its behaviour.
 * Must not know: HTTP, searches. It is a client of the server's API like any other.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Eta } from "eta";

import { pageHead } from "../report/page-template.js";
import { treePicture } from "../report/tree-picture.js";
import { treeScript } from "../report/tree-script.js";
import type { StrategyName } from "../strategies/index.js";
import { askPageStyle } from "./ask-page-style.js";

/** What the server lets its clients choose. */
export interface AskPageOptions {
  /** Strategies besides compute-optimal. */
  readonly strategies: readonly StrategyName[];
  /** Budgets in generations, ascending, at least one. */
  readonly budgets: readonly number[];
  /** The one that is chosen at first. */
  readonly usualBudget: number;
  /** Whether the server asks for an API key. */
  readonly needsKey: boolean;
}

const names: Readonly<Record<StrategyName, string>> = {
  majority: "majority vote",
  "best-of-n": "best of N",
  "weighted-best-of-n": "weighted best of N",
  beam: "beam search",
  lookahead: "lookahead search",
  dvts: "diverse subtrees (DVTS)",
  revisions: "revisions",
  "revise-survivors": "beam search, then revisions",
  "beam-after-attempt": "beam search after an attempt",
};

/** The embedded models can answer them. */
export const examples = [
  "Mia has 4 bags with 6 shells each. She gives half of them to Ben. How many shells does Mia have now?",
  "Lin has 5 packs with 4 pens each. She loses 6 of them. Soon she has 3 times as many. She gives 2 pens to Eva. " +
    "How many pens does Lin have now?",
] as const;

/** What is told of a search's cost, in this order. */
const costs = ["Generated", "Prefilled", "Verifier", "Time"] as const;

const modules = [
  ...["main", "completion-stream", "live-tree", "words"].map((name) => `page/browser/${name}.js`),
  ...["tree-drawing", "tree-layout", "score-scale"].map((name) => `report/${name}.js`),
];

/** The scripts that the page loads, by the paths below `assets/` where it looks for them. The compiler writes all but one. */
export const assets: ReadonlyMap<string, () => Promise<string>> = new Map([
  ["tree-script.js", async () => treeScript],
  ...modules.map((path) => [path, () => readFile(new URL(`../../dist/${path}`, import.meta.url), "utf8")] as const),
]);

const styleHash = createHash("sha256").update(askPageStyle).digest("base64");

/** Nothing from elsewhere is loaded, no script runs that the server has not sent as a file, and only the server is asked. */
export const askPagePolicy =
  `default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'sha256-${styleHash}'; img-src data:; ` +
  `base-uri 'none'; form-action 'none'`;

export function askPage(options: AskPageOptions): string {
  const empty = { strategy: "", options: {}, steps: [], rounds: 0, chosen: null };
  const view = { id: "step", title: "", caption: "", question: "", expected: null, recording: empty };
  return new Eta({ autoEscape: true }).renderString(template, {
    ...{ ...options, names, examples, costs, tree: treePicture(view) },
    ...{ policy: askPagePolicy, style: askPageStyle, title: "thinktree" },
  });
}

const template = `${pageHead}<body>
<header>
<h1>thinktree</h1>
<p class="muted">Searches a tree of solution steps under a verifier, here, on this server.</p>
</header>
<main>
<form id="ask">
<label class="question" for="question">Your question</label>
<textarea id="question" rows="3" autofocus aria-describedby="keys"></textarea>
<div class="choices">
<label>Search
<select id="strategy">
<option value="">compute-optimal</option>
<% it.strategies.forEach((name) => { %><option value="<%= name %>"><%= it.names[name] %></option>
<% }) %>
</select></label>
<label>Budget
<select id="generations">
<% it.budgets.forEach((size) => { %><option value="<%= size %>"<%~ size === it.usualBudget ? " selected" : "" %>><%= size %> <%= size === 1 ? "generation" : "generations" %></option>
<% }) %>
</select></label>
<% if (it.needsKey) { %>
<label>API key
<input id="key" type="password" autocomplete="off" spellcheck="false"></label>
<% } %>
<button id="go" type="submit">Ask</button>
</div>
<p id="keys" class="hint">Enter asks, Shift+Enter begins a new line, Escape stops.</p>
<p class="hint" id="examples">Try
<% it.examples.forEach((text) => { %><button type="button"><%= text %></button>
<% }) %></p>
</form>
<section id="result" aria-label="Result" hidden>
<div id="told">
<div id="answer" aria-live="polite"></div>
<p id="state" role="status"></p>
<p id="problem" role="alert"></p>
<p id="progress"></p>
<p id="why"></p>
</div>
<ol id="solution" aria-label="Solution, step by step"></ol>
<dl class="facts">
<% it.costs.forEach((name) => { %><div><dt><%= name %></dt><dd data-cost="<%= name %>"></dd></div>
<% }) %></dl>
</section>
<section id="growth" aria-label="Search tree" hidden>
<%~ it.tree %>
</section>
<noscript><p>This page needs JavaScript. The API does not: see openapi.json.</p></noscript>
</main>
<script defer src="assets/tree-script.js"></script>
<script type="module" src="assets/page/browser/main.js"></script>
</body>
</html>
`;

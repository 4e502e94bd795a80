/**
 * A benchmark as one HTML file that needs nothing else.
 *
 * Owns: the page. Must not know: what the figures show, where the numbers come from.
 */
import { Eta } from "eta";
import type { Benchmark, Percentiles } from "../benchmark/results.js";
import { benchmarkFacts, benchmarkNotes } from "./benchmark-facts.js";
import { benchmarkFigures } from "./benchmark-figures.js";
import { significant } from "./numbers.js";
import { pageStyle } from "./page-style.js";
import { pageHead } from "./page-template.js";

const eta = new Eta({ autoEscape: true });

const template = `${pageHead}<body>
<header>
<h1>How fast branches are written</h1>
<p>Measured by <code>thinktree bench</code>: every branch goes on from one prompt, whose cache all share.</p>
<dl class="facts">
<% it.facts.forEach((fact) => { %>
<div><dt><%= fact.name %></dt><dd><%= fact.value %></dd></div>
<% }) %>
</dl>
<% it.notes.forEach((note) => { %>
<p class="muted"><%= note %></p>
<% }) %>
</header>
<main>
<% it.figures.forEach((figure) => { %>
<article class="figure" id="<%= figure.id %>">
<h3><%= figure.title %></h3>
<div class="plot scroll" role="region" tabindex="0" aria-label="<%= figure.title %>" style="--drawn: <%= figure.picture.width %>px"><figure><%~ figure.picture.html %></figure></div>
<figcaption><%= figure.caption %></figcaption>
</article>
<% }) %>
<section id="numbers">
<h2>In numbers</h2>
<p>Times in milliseconds, those of three as p50 / p95 / p99. Host: what is neither the generator's decode nor the verifier's work.</p>
<div class="scroll">
<table>
<thead><tr><% it.columns.forEach((name) => { %><th class="number"><%= name %></th><% }) %></tr></thead>
<tbody>
<% it.rows.forEach((row) => { %>
<tr><% row.forEach((cell) => { %><td class="number"><%= cell %></td><% }) %></tr>
<% }) %>
</tbody>
</table>
</div>
<p><a download="thinktree-bench.json" href="<%= it.download %>">Download everything as JSON</a></p>
</section>
</main>
</body>
</html>
`;

/** @returns A whole HTML document. Every text is escaped; the browser is told to run and to load nothing. */
export function benchmarkPage(found: Benchmark): string {
  return eta.renderString(template, {
    ...{ style: pageStyle, facts: benchmarkFacts(found), notes: benchmarkNotes(found), ...tableOf(found) },
    figures: benchmarkFigures(found),
    policy: "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    title: `thinktree bench: ${found.models.generator.file}`,
    download: `data:application/json;base64,${Buffer.from(JSON.stringify(found, null, 1)).toString("base64")}`,
  });
}

function tableOf({ results, settings: { stepTokens } }: Benchmark): { columns: string[]; rows: string[][] } {
  const percentiles = ({ p50, p95, p99 }: Percentiles) => [p50, p95, p99].map(significant).join(" / ");
  const rows = results.map((result) => [
    String(result.branches),
    significant(result.tokensPerSecond.median),
    percentiles(result.firstTokenMs),
    percentiles(result.stepMs),
    significant(result.hostMsPerDecode),
    result.verifierShare === null ? "" : `${(100 * result.verifierShare).toFixed(1)}%`,
    result.kvCellsPeak.toLocaleString("en-US"),
    `${Math.round(result.residentMib).toLocaleString("en-US")} MiB`,
  ]);
  const columns = [
    "Branches",
    "Tokens/s",
    "First token",
    `Step of ${stepTokens}`,
    "Host a decode",
    "Verifier",
    "KV cells",
  ];
  return { columns: [...columns, "Resident"], rows };
}

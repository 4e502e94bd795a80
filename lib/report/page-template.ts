/**
 * The report's page, as an eta template: `<%=` escapes, `<%~` is for pictures, whose makers have escaped already.
 *
 * Owns: the order of things on the page, and how every page of ours begins. Must not know: how they are drawn.
 */

/** Up to the body. Wants `policy` (what the browser may load), `title` and `style`. */
export const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="<%= it.policy %>">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title><%= it.title %></title>
<style><%~ it.style %></style>
</head>
`;

export const pageTemplate = `${pageHead}<body>
<header>
<h1><%= it.title %></h1>
<p><%= it.summary %></p>
<p class="command"><code><%= it.command %></code></p>
<dl class="facts">
<% it.facts.forEach((fact) => { %>
<div><dt><%= fact.name %></dt><dd><%= fact.value %></dd></div>
<% }) %>
</dl>
<nav aria-label="Contents">
<ul>
<% if (it.findings.length > 0) { %>
<li><a href="#findings">The paper's findings</a></li>
<% } %>
<% it.sections.forEach((section) => { %>
<li><a href="#<%= section.id %>"><%= section.title %></a>
<ul>
<% section.figures.concat(section.trees).forEach((figure) => { %>
<li><a href="#<%= figure.id %>">Figure <%= figure.number %>. <%= figure.title %></a></li>
<% }) %>
</ul></li>
<% }) %>
</ul>
</nav>
</header>
<main>
<% if (it.findings.length > 0) { %>
<section id="findings">
<h2>The paper's findings</h2>
<div class="tally">
<% it.tally.forEach(({ verdict, className, count }) => { %>
<span><span class="badge <%= className %>"><%= verdict %></span> <%= count %></span>
<% }) %>
</div>
<table class="findings">
<thead><tr><th>Finding</th><th>Verdict</th><th>Evidence here</th></tr></thead>
<tbody>
<% it.findings.forEach((finding) => { %>
<tr><td><%= finding.claim %> <span class="source">(<%= finding.source %>)</span></td>
<td><span class="badge <%= finding.className %>"><%= finding.verdict %></span></td>
<td><%= finding.evidence %></td></tr>
<% }) %>
</tbody>
</table>
</section>
<% } %>
<% it.sections.forEach((section) => { %>
<section id="<%= section.id %>">
<h2><%= section.title %></h2>
<p><%= section.text %></p>
<% section.figures.forEach((figure) => { %>
<article class="figure" id="<%= figure.id %>">
<h3>Figure <%= figure.number %>. <%= figure.title %></h3>
<div class="plot scroll" role="region" tabindex="0" aria-label="<%= figure.title %>" style="--drawn: <%= figure.width %>px"><%~ figure.picture %></div>
<figcaption><%= figure.caption %> Thin vertical lines are 95% intervals.</figcaption>
<p class="command"><code><%= figure.command %></code></p>
<details>
<summary>Data (<%= figure.rows.length %> points)</summary>
<p><a download="<%= figure.id %>.json" href="<%= figure.download %>">Download as JSON</a></p>
<div class="scroll">
<table>
<thead><tr><% figure.columns.forEach((name, i) => { %><th<%~ i >= figure.columns.length - 3 ? ' class="number"' : "" %>><%= name %></th><% }) %></tr></thead>
<tbody>
<% figure.rows.forEach((row) => { %>
<tr><% row.forEach((cell, i) => { %><td<%~ i >= row.length - 3 ? ' class="number"' : "" %>><%= cell %></td><% }) %></tr>
<% }) %>
</tbody>
</table>
</div>
</details>
</article>
<% }) %>
<% section.trees.forEach((tree) => { %>
<article class="figure" id="<%= tree.id %>">
<h3>Figure <%= tree.number %>. <%= tree.title %></h3>
<p class="muted"><%= tree.caption %></p>
<p><%= tree.question %></p>
<%~ tree.picture %>
<p><a download="<%= tree.id %>.json" href="<%= tree.download %>">Download this search as JSON</a></p>
</article>
<% }) %>
</section>
<% }) %>
</main>
<script><%~ it.script %></script>
</body>
</html>
`;

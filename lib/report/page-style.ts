/**
 * The page's looks: light, dark, narrow, printed.
 *
 * Owns: CSS. Must not know: what is reported.
 */
import { paletteVariables } from "./palette.js";
import { scoreLevels } from "./score-scale.js";

const light = `color-scheme: light; --paper: #fff; --ink: #1b1f24; --muted: #5c6670; --rule: #e3e6ea; --panel: #f6f7f9;
  --accent: #b3134b; --good: #14703d; --bad: #a3281e; --unclear: #7a5600; ${paletteVariables("light")}`;
const dark = `color-scheme: dark; --paper: #14171b; --ink: #e6e9ed; --muted: #9aa4af; --rule: #2d333b; --panel: #1c2127;
  --accent: #ff6f9f; --good: #5fd08f; --bad: #ff8f84; --unclear: #e8bb58; ${paletteVariables("dark")}`;

const levels = Array.from({ length: scoreLevels }, (_, i) => `.level-${i} { --score: var(--score-${i}); }`).join("\n");

/** The variables of every colour, for what `selector` picks. */
export function colorsOf(selector: string): string {
  return `${selector} { ${light} }
@media screen and (prefers-color-scheme: dark) { ${selector} { ${dark} } }`;
}

/** What every page has. */
export const baseStyle = `
${colorsOf(":root")}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 56rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3.5rem 0 .75rem; padding-top: .75rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.08rem; margin: 0 0 .25rem; }
p { margin: 0 0 .8rem; max-width: 46rem; }
a { color: inherit; text-decoration-color: var(--muted); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: .85em; }
code { overflow-wrap: anywhere; }
.muted, figcaption, .source { color: var(--muted); }
.scroll { overflow: auto; }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .9rem 1.5rem; margin: 1.5rem 0;
  padding: 1rem 1.25rem; background: var(--panel); border-radius: 6px; }
.facts dt { font-size: .78rem; color: var(--muted); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
}
`;

/** The tree viewer's. */
export const treeStyle = `
.tree { border: 1px solid var(--rule); border-radius: 6px; margin: .75rem 0; }
.tree > .scroll { max-height: 70vh; }
.tree svg { display: block; font: 11px ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
.tree-head { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.25rem; padding: .6rem .9rem; font-size: .87rem;
  border-bottom: 1px solid var(--rule); }
.tree-controls { display: flex; align-items: center; gap: .4rem; }
.tree-controls[hidden] { display: none; }
.tree button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--rule); border-radius: 4px;
  padding: .2rem .7rem; cursor: pointer; }
.tree button:disabled { opacity: .4; cursor: default; }
.tree input { width: 9rem; accent-color: var(--accent); }
.tree-status { font-variant-numeric: tabular-nums; }
.tree-key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; color: var(--muted); }
.tree-key i { display: inline-block; width: .8rem; height: .7rem; border-radius: 2px; background: var(--score); }
.tree-key .key-kept { width: 1.5rem; border: 1.5px solid var(--muted); }
.tree-key .key-pruned { width: 1.5rem; border: 1.5px dashed var(--muted); opacity: .55; }
.tree-key .key-chosen { width: 1.5rem; border: 2.5px solid var(--accent); }
.tree-details { padding: .6rem .9rem; height: 6rem; overflow: auto; border-top: 1px solid var(--rule); background: var(--panel); }
.tree-details .note { font-size: .87rem; color: var(--muted); margin: 0; }
.tree-details pre { margin: .2rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.tree-answer { font-size: .87rem; margin: 0; max-width: none; padding: .5rem .9rem; border-top: 1px solid var(--rule); }

${levels}
.edges path { fill: none; stroke: var(--muted); stroke-width: 1.25; }
.step { cursor: pointer; outline: none; }
.step .box { fill: var(--panel); stroke: var(--muted); stroke-width: 1; }
.step text { fill: var(--ink); white-space: pre; }
.step .chip { fill: var(--score); stroke: var(--score); stroke-width: 1.5; }
.step .score { font-variant-numeric: tabular-nums; }
.step .count, .step .mark { text-anchor: end; }
.step .count { fill: var(--muted); }
.step .mark { font-weight: 700; }
.step.solution .box { stroke: var(--ink); stroke-width: 1.75; }
.step.given text { font-style: italic; fill: var(--muted); }
.question .box { stroke: var(--ink); }
.edges .pruned { stroke-dasharray: 2 3; opacity: .35; }
.step.pruned .box { fill: none; stroke-dasharray: 3 3; opacity: .7; }
.step.pruned .chip { fill: none; }
.step.pruned text { fill: var(--muted); }
.final .edges .chosen { stroke: var(--accent); stroke-width: 3; }
.final .step.chosen .box { stroke: var(--accent); stroke-width: 2.5; }
.step.told .box { fill: var(--rule); }
.step:focus-visible .box { stroke: var(--ink); stroke-width: 3; stroke-dasharray: none; opacity: 1; }
.later { visibility: hidden; }
@media screen and (min-width: 64rem) {
  .tree { margin-inline: calc((100% - min(100vw - 4rem, 76rem)) / 2); }
}
`;

/** A report's. */
export const pageStyle = `${baseStyle}
nav ul { margin: 0; padding: 0; list-style: none; }
nav > ul { columns: 20rem; column-gap: 2rem; }
nav > ul > li { margin-bottom: .6rem; break-inside: avoid; }
nav ul ul { padding-left: 1rem; color: var(--muted); font-size: .92rem; }

table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-size: .8rem; font-weight: 600; color: var(--muted); border-bottom: 1.5px solid var(--ink); }
th, td { padding: .45rem 1rem .45rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--rule); }
td.number, th.number { text-align: right; white-space: nowrap; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; border: 1.5px solid; font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.badge.reproduced { color: var(--good); }
.badge.not-reproduced { color: var(--bad); }
.badge.unclear-here { color: var(--unclear); border-style: dashed; }
.tally { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin-bottom: 1rem; }

.figure { margin: 2rem 0 3rem; }
.plot figure { margin: 0; }
.plot figure > svg { width: 100%; min-width: 640px; max-width: var(--drawn); overflow: visible;
  --plot-background: var(--paper); }
.plot [class*="-swatches"] { font: inherit; font-size: .87rem; min-height: 0; margin: .4rem 0 .1rem; row-gap: .1rem; }
figcaption { font-size: .92rem; max-width: 46rem; margin: .4rem 0 .6rem; }
.command { font-size: .92rem; margin: 0 0 .4rem; }
.command code::before { content: "$ "; color: var(--muted); }
details { font-size: .92rem; }
summary { cursor: pointer; color: var(--muted); }
details .scroll { max-height: 24rem; margin: .5rem 0; }
details table { width: auto; min-width: 60%; }
${treeStyle}
@media (max-width: 40rem) {
  .findings thead { display: none; }
  .findings tr { display: block; padding: .7rem 0; border-bottom: 1px solid var(--rule); }
  .findings td { display: block; padding: .1rem 0; border: 0; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll, .tree > .scroll { overflow: visible; max-height: none; }
  .tree svg { max-width: 100%; height: auto; }
  .tree-controls,
  .tree-details,
  details,
  a[download] { display: none; }
}
`;

/**
 * The looks of the page where a question is asked: a report's, with a form.
 *
 * Owns: CSS. Must not know: what is asked.
 */
import { baseStyle, treeStyle } from "../report/page-style.js";

export const askPageStyle = `${baseStyle}
body { padding-top: 1.75rem; }
header p { margin: 0 0 1.25rem; }
h1 { margin: 0 0 .2rem; }
[hidden] { display: none !important; }
textarea, select, input, button { font: inherit; color: inherit; }
textarea, select, #key { background: var(--paper); border: 1px solid var(--muted); border-radius: 6px; padding: .5rem .7rem; }
textarea { display: block; width: 100%; resize: vertical; line-height: 1.45; }
.question { display: block; font-weight: 600; margin-bottom: .35rem; }
.choices { display: flex; flex-wrap: wrap; align-items: end; gap: .75rem 1rem; margin: .8rem 0 .5rem; }
.choices label { display: grid; gap: .2rem; font-size: .82rem; color: var(--muted); }
.choices select, #key { font-size: 1rem; color: var(--ink); height: 2.6rem; max-width: 100%; padding-block: 0; }
#go { height: 2.6rem; min-width: 6.5rem; padding: 0 1.4rem; border: 0; border-radius: 6px; font-weight: 600; cursor: pointer;
  background: var(--ink); color: var(--paper); }
.searching #go { background: var(--accent); }
.hint { font-size: .85rem; color: var(--muted); margin: 0 0 .4rem; }
#examples { display: flex; flex-wrap: wrap; gap: .4rem .5rem; align-items: baseline; max-width: none; }
#examples button { text-align: left; font-size: .85rem; padding: .2rem .65rem; border: 1px solid var(--rule); border-radius: 6px;
  background: var(--panel); cursor: pointer; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#examples button:hover { border-color: var(--muted); }

#result { margin: 1.25rem 0 0; padding: 1rem 1.25rem; border: 1px solid var(--rule); border-left: 4px solid var(--muted);
  border-radius: 6px; }
#result p { margin: 0; }
#result:not(.answered) #told { grid-column: 1 / -1; }
#result.failed:not(.begun) .facts { display: none; }
#result.answered { border-left-color: var(--good); }
#result.failed { border-left-color: var(--bad); }
#state, #progress { color: var(--muted); font-variant-numeric: tabular-nums; }
#problem { color: var(--bad); font-weight: 600; }
#answer { font-size: 2.4rem; font-weight: 700; line-height: 1.2; overflow-wrap: anywhere; }
#answer.none { font-size: 1.3rem; font-weight: 600; }
#why { color: var(--muted); font-size: .92rem; padding-top: .5rem; }
#solution { margin: 0; padding-left: 1.6rem; }
#solution:empty, #result p:empty, #answer:empty { display: none; }
#solution li { padding: .1rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
#solution i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .45rem;
  background: var(--score); }
#solution small { color: var(--muted); margin-left: .6rem; font-variant-numeric: tabular-nums; }
#result { display: grid; gap: 1rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
#result .facts { grid-column: 1 / -1; margin: 0; padding: .7rem 1rem; gap: .5rem 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); }
#growth .tree { margin-block: 1.25rem 0; }
${treeStyle}
#growth .step:not(.question) { animation: come .25s ease-out; }
@keyframes come { from { opacity: 0; } }
@media (prefers-reduced-motion: reduce) {
  html { scroll-behavior: auto; }
  #growth .step { animation: none !important; }
}
@media (max-width: 40rem) {
  body { padding-top: 1rem; }
  .choices label { flex: 1 1 10rem; }
  .choices select, #key { width: 100%; padding-inline: .4rem; font-size: .95rem; }
  #go { flex: 1 1 100%; }
  #result { padding: .8rem .9rem; }
  .tree-key { display: none; }
}
`;

/**
 * What the window shows.
 *
 * Owns: the document. Must not know: Electron, the engine; it has `window.thinktree` alone.
 */
import type { Api, Cost, Outcome, Progress, Step } from "../contract.js";

declare global {
  interface Window {
    readonly thinktree: Api;
  }
}

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const form = element<HTMLFormElement>("form");
const question = element<HTMLTextAreaElement>("question");
const ask = element<HTMLButtonElement>("ask");
const cancel = element<HTMLButtonElement>("cancel");
const [state, problem, found] = [element("state"), element("problem"), element("found")];

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!ask.disabled) void search();
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
cancel.addEventListener("click", () => window.thinktree.cancel());
window.thinktree.onProgress(showProgress);

async function search(): Promise<void> {
  setBusy(true);
  show([], "", undefined);
  problem.hidden = found.hidden = true;
  state.textContent = "Searching …";
  const outcome = await window.thinktree
    .ask(question.value)
    .catch((error: unknown): Outcome => ({ kind: "problem", message: String(error) }));
  setBusy(false);
  showOutcome(outcome);
}

function setBusy(busy: boolean): void {
  ask.disabled = busy;
  cancel.disabled = !busy;
  (busy ? cancel : question).focus();
  found.classList.toggle("growing", busy);
}

function showProgress({ round, live, finished, steps, answer, cost }: Progress): void {
  if (cancel.disabled) return; // of a search that is over
  state.textContent = `Round ${round}: ${count(live, "branch", "branches")} growing, ${count(finished, "solution")}`;
  show(steps, answer === null ? "" : `${answer}?`, cost);
}

function showOutcome(outcome: Outcome): void {
  switch (outcome.kind) {
    case "answer": {
      const [same, all] = outcome.votes;
      const early = outcome.early ? "The budget is spent: the best answer so far. " : "";
      state.textContent = `${early}${same} of ${count(all, "solution")} ${same === 1 ? "says" : "say"} so.`;
      return show(outcome.steps, outcome.answer ?? "No answer", outcome.cost);
    }
    case "cancelled":
      state.textContent = "Cancelled.";
      return;
    case "problem":
      state.textContent = "";
      problem.textContent = outcome.message;
      problem.hidden = false;
  }
}

function show(steps: readonly Step[], answer: string, cost: Cost | undefined): void {
  found.hidden = false;
  element("answer").textContent = answer;
  element("steps").replaceChildren(...steps.map(stepItem));
  const seconds = cost && (cost.milliseconds / 1000).toFixed(1);
  element("cost").textContent = cost ? `${count(cost.tokens, "token")} generated in ${seconds} s` : "";
}

function stepItem({ text, score }: Step): HTMLLIElement {
  const item = document.createElement("li");
  item.textContent = text;
  if (score === null) return item;
  const mark = document.createElement("small");
  mark.textContent = score.toFixed(2);
  item.append(mark);
  return item;
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

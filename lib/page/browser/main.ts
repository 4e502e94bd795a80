/**
 * The page's behaviour: asks, shows what comes, stops.
 *
 * Owns: the form, the keys, one search at a time and its end. Must not know: how events are read, how trees are drawn.
 */
import { scoreLevel } from "../../report/score-scale.js";
import { ask, AskError, type Found, type Told } from "./completion-stream.js";
import { LiveTree } from "./live-tree.js";
import { costWords, decisionWords, endWords, problemWords, progressWords, timeWords } from "./words.js";

const find = <T extends Element = HTMLElement>(selector: string) => document.querySelector<T>(selector)!;

const form = find<HTMLFormElement>("#ask");
const question = find<HTMLTextAreaElement>("#question");
const strategy = find<HTMLSelectElement>("#strategy");
const generations = find<HTMLSelectElement>("#generations");
/** Where the server asks for one. */
const key = document.querySelector<HTMLInputElement>("#key");
const go = find("#go");
const result = find("#result");
const [answer, state, problem] = [find("#answer"), find("#state"), find("#problem")];
const [progress, why, solution] = [find("#progress"), find("#why"), find("#solution")];
const costs = document.querySelectorAll<HTMLElement>("[data-cost]");
const growth = find("#growth");
const treeStatus = find(".tree-status");
const tree = new LiveTree(find(".tree"));

const keyPlace = "thinktree.key";
const clockMs = 200;
/** The search under way. */
let search: AbortController | null = null;

async function start(): Promise<void> {
  const text = question.value.trim();
  if (text === "") return question.focus();
  const own = new AbortController();
  search = own;
  clear();
  tree.begin(text);
  state.textContent = "Searching…";
  const begun = performance.now();
  const clock = setInterval(() => show({ Time: timeWords(performance.now() - begun) }), clockMs);
  try {
    const asked = { question: text, strategy: strategy.value, generations: Number(generations.value) };
    if (key) sessionStorage.setItem(keyPlace, key.value);
    for await (const told of ask({ ...asked, key: key?.value ?? "" }, own.signal)) tell(told);
  } catch (error) {
    state.textContent = own.signal.aborted ? "Stopped." : "";
    if (!own.signal.aborted) fail(error);
  } finally {
    clearInterval(clock);
    search = null;
    treeStatus.setAttribute("aria-live", "polite");
    form.classList.remove("searching");
    go.textContent = "Ask";
  }
}

/** The server ends a search whose client has gone. */
function stop(): void {
  search?.abort();
}

function clear(): void {
  for (const part of [answer, state, problem, progress, why, solution]) part.replaceChildren();
  show({ Generated: "–", Prefilled: "–", Verifier: "–" });
  result.className = "";
  result.hidden = false;
  growth.hidden = true;
  treeStatus.setAttribute("aria-live", "off"); // it changes too often to be read aloud
  form.classList.add("searching");
  go.textContent = "Stop";
}

let rounds = 0;

function tell(told: Told): void {
  result.classList.add("begun");
  if (told.tree) {
    rounds = told.tree.rounds;
    growth.hidden = false;
    tree.add(told.tree);
  }
  if (told.progress) {
    progress.textContent = progressWords(told.progress, rounds);
    show(costWords(told.progress));
  }
  if (told.found) conclude(told.found);
}

function conclude(found: Found): void {
  result.classList.add("answered");
  progress.textContent = "";
  answer.classList.toggle("none", found.answer === null);
  answer.textContent = found.answer ?? "No answer";
  state.textContent = endWords(found);
  why.textContent = found.decision === null ? "" : decisionWords(found.decision);
  solution.replaceChildren(...found.steps.map(({ text, score }) => stepOf(text, score)));
  show(costWords(found.ledger));
}

function stepOf(text: string, score: number | null): HTMLElement {
  const item = document.createElement("li");
  if (score === null) {
    item.append(text.trim());
    return item;
  }
  const [chip, figure] = [document.createElement("i"), document.createElement("small")];
  chip.className = `level-${scoreLevel(score)}`;
  figure.textContent = `score ${score.toFixed(2)}`;
  item.append(chip, text.trim(), figure);
  return item;
}

function fail(error: unknown): void {
  result.classList.add("failed");
  if (!(error instanceof AskError)) {
    problem.textContent = `The page met an unexpected error: ${String(error)}. Load it again.`;
    throw error;
  }
  problem.textContent = problemWords(error);
  if (error.refusal.status === 401) key?.focus();
}

function show(figures: Readonly<Record<string, string>>): void {
  for (const place of costs) place.textContent = figures[place.dataset["cost"]!] ?? place.textContent;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (search) stop();
  else void start();
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!search) form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
find("#examples").addEventListener("click", ({ target }) => {
  if (!(target instanceof HTMLButtonElement)) return;
  question.value = target.textContent;
  question.focus();
});
if (key) key.value = sessionStorage.getItem(keyPlace) ?? "";

/**
 * The tree viewer of a search that is still going on.
 *
 * Owns: the steps told so far, and keeping the picture's boxes in step with them: a box stays the same element, and so keeps the
 * focus, while its tree grows around it. The viewer's own script goes from round to round and from step to step.
 * Must not know: the network, where things stand and what they say (`tree-drawing.ts`).
 */
import type { RecordedStep, TreeNews } from "../../report/recording.js";
import { boxSize, drawingOf } from "../../report/tree-drawing.js";

type Drawing = ReturnType<typeof drawingOf>;

/** An edge or a box of the picture, and what it shows, as text. */
interface Shown {
  readonly element: SVGElement;
  as: string;
}

const svgSpace = "http://www.w3.org/2000/svg";
/** Of the time that the last drawing took, what the page then has for everything else. */
const rests = 2;

export class LiveTree {
  readonly #svg: SVGSVGElement;
  readonly #edges: SVGGElement;
  readonly #question: SVGGElement;
  readonly #scroll: HTMLElement;
  readonly #shown = new Map<string, Shown>();
  #steps: RecordedStep[] = [];
  #told: Omit<TreeNews, "steps"> = { rounds: 0, chosen: null };
  #text = "";
  /** Whether a drawing is due already. */
  #due = false;
  #restMs = 0;

  constructor(private readonly viewer: HTMLElement) {
    this.#svg = viewer.querySelector("svg")!;
    this.#edges = viewer.querySelector(".edges")!;
    this.#question = viewer.querySelector(".question")!;
    this.#scroll = viewer.querySelector(".scroll")!;
  }

  /** An empty tree for another question. */
  begin(question: string): void {
    this.#steps = [];
    this.#told = { rounds: 0, chosen: null };
    this.#text = question;
    this.#scroll.scrollTo(0, 0);
    this.#restMs = 0;
    this.#draw();
  }

  /** Steps take the places of those that had their ids. */
  add({ steps, rounds, chosen }: TreeNews): void {
    for (const step of steps) this.#steps[step.id] = step;
    this.#told = { rounds, chosen };
    this.#drawSoon();
  }

  /** Once a frame at most, however fast news come, and less often where the tree is large. */
  #drawSoon(): void {
    if (this.#due) return;
    this.#due = true;
    const begin = () =>
      requestAnimationFrame(() => {
        this.#due = false;
        const begun = performance.now();
        this.#draw();
        this.#restMs = rests * (performance.now() - begun);
      });
    setTimeout(begin, this.#restMs);
  }

  #draw(): void {
    const recording = { strategy: "", options: {}, steps: this.#steps, ...this.#told };
    const drawing = drawingOf(recording, this.#text, null);
    const { width, height, question, edges, boxes } = drawing;
    const size = { width: String(width), height: String(height), viewBox: `0 0 ${width} ${height}` };
    const grown = Number(this.#svg.getAttribute("width")) !== width;
    setAll(this.#svg, size);
    setAll(this.#question, { "data-text": question.text, "aria-label": `question: ${question.text}` });
    this.#question.querySelector("text")!.textContent = question.words;

    const seen = new Set<string>();
    /** Most of a large tree stays as it is. */
    const keep = (key: string, what: object, make: () => SVGElement, draw: (element: SVGElement) => void) => {
      seen.add(key);
      const as = JSON.stringify(what);
      const known = this.#shown.get(key) ?? { element: make(), as: "" };
      if (known.as === as) return;
      known.as = as;
      draw(known.element);
      this.#shown.set(key, known);
    };
    for (const edge of edges) {
      const make = () => this.#edges.appendChild(create("path", {}));
      keep(`edge ${edge.id}`, edge, make, (path) => setAll(path, { class: edge.state, ...roundsOf(edge), d: edge.d }));
    }
    for (const box of boxes) {
      const make = () => this.#svg.appendChild(emptyBox(box.id));
      keep(`box ${box.id}`, box, make, (group) => drawBox(group, box));
    }
    for (const [key, { element }] of this.#shown) {
      if (seen.has(key)) continue;
      if (element === document.activeElement) this.#question.focus();
      element.remove();
      this.#shown.delete(key);
    }
    if (this.viewer.querySelector(".step[tabindex='0']") === null) this.#question.setAttribute("tabindex", "0");
    this.viewer.dataset["rounds"] = String(this.#told.rounds);
    this.viewer.dispatchEvent(new Event("grown"));
    // The newest column stays in view, but for a reader who is looking around in the tree.
    if (grown && !this.viewer.matches(":focus-within, :hover")) this.#scroll.scrollLeft = this.#scroll.scrollWidth;
  }
}

/** A box with all that a box may have, to be filled in. */
function emptyBox(id: number): SVGElement {
  const group = create("g", { id: `step-${id}`, tabindex: "-1", role: "img" });
  const { width, height } = boxSize;
  const [full, chip] = [`${height}`, `${height - 7}`];
  group.append(
    create("rect", { class: "box", width: `${width}`, height: full, rx: "4" }),
    create("rect", { class: "chip", x: "3.5", y: "3.5", width: "10", height: chip, rx: "2" }),
    create("text", { class: "score", x: "17", y: "14" }),
    create("text", { class: "words", y: "14" }),
    create("text", { class: "count", x: `${width - 6}`, y: "14" }),
    create("text", { class: "mark", x: `${width - 6}`, y: "14" }),
  );
  return group;
}

function drawBox(group: SVGElement, box: Drawing["boxes"][number]): void {
  setAll(group, {
    class: `step ${box.state}${group.classList.contains("told") ? " told" : ""}`,
    transform: `translate(${box.x},${box.y})`,
    ...roundsOf(box),
    "data-count": String(box.count),
    "data-parent": `step-${box.parent ?? "q"}`,
    "data-text": box.text,
    "data-note": box.note,
    "aria-label": `${box.note}: ${box.text}`,
  });
  const [, chip, score, words, count, mark] = group.children;
  setAll(chip!, { class: `chip level-${box.level ?? 0}`, visibility: box.level === null ? "hidden" : "inherit" });
  score!.textContent = box.score;
  setAll(words!, { x: String(box.indent) });
  words!.textContent = box.words;
  count!.textContent = box.count > 1 ? `×${box.count}` : "";
  mark!.textContent = box.mark;
}

function roundsOf({ round, pruned }: { round: number; pruned: number | null }): Record<string, string> {
  return { "data-round": String(round), "data-pruned": String(pruned ?? "") };
}

function create(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const element = document.createElementNS(svgSpace, name);
  setAll(element, attributes);
  return element;
}

function setAll(element: Element, attributes: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

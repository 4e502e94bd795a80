/**
 * Scores steps by what a model on a server would write after them.
 *
 * Owns: what a step is to the verifier as text, which steps were read already.
 * Must not know: recipes' names, how the steps came to be.
 *
 * A solution is read a step after the other: each is the server's prefix for the next, and is in its cache then. Steps that say
 * the same after the same are read once.
 */
import type { StepJudge } from "../engine/tree.js";
import type { Bill } from "./bill.js";
import type { Completions, PromptUse } from "./completions.js";
import { TokenPair } from "./token-pair.js";
import type { Work } from "./work.js";

interface Frame {
  readonly before: string;
  readonly after: string;
  /** Without blanks before the step either. */
  readonly trims?: boolean | undefined;
}

/** How a step is put and its score read: two tokens, one of which says that it is right. */
export interface PairReading {
  readonly positive: string;
  readonly negative: string;
  readonly first: Frame;
  readonly next: Frame;
  /** Read after the step instead of its end, and forgotten. */
  readonly probe: string;
  /** The step's text as it is; else without empty lines before it and blanks after it. */
  readonly asItIs: boolean;
  readonly oneLine: boolean;
}

/** A text that the verifier has read. */
interface Read {
  readonly text: string;
  /** Tokens of the text. */
  readonly tokens: number;
  /** Null: the search was stopped before. */
  readonly score: number | null;
}

interface Node {
  readonly read: Promise<Read>;
  readonly below: Map<string, Node>;
}

export class RemoteVerifier implements StepJudge {
  readonly exhausted = false; // the search's own limits hold for it
  private readonly begun = new Map<string, Node>();
  private readonly pair: TokenPair;
  private question: Promise<Read> | undefined;

  constructor(
    private readonly model: Completions,
    private readonly reading: PairReading,
    private readonly prompt: string,
    private readonly work: Work,
    private readonly bill: Bill,
  ) {
    this.pair = new TokenPair(model, reading.positive, reading.negative);
  }

  /** Of no steps: the question is read meanwhile. */
  async scores(steps: readonly string[]): Promise<(number | null)[]> {
    let { begun } = this;
    let above = (this.question ??= this.readQuestion());
    above.catch(() => (this.question = undefined)); // whoever wants it again asks again
    const reads = steps.map((step, i) => {
      const node = begun.get(step) ?? this.readStep(begun, step, i + 1, above);
      begun = node.below;
      return (above = node.read);
    });
    return (await Promise.all(reads)).map(({ score }) => score);
  }

  private async readQuestion(): Promise<Read> {
    const { prompt: text } = this;
    const use = await this.work.run((signal) => this.model.measure(text, signal));
    if (use === null) return { text, tokens: 0, score: null };
    this.bill.verifier.prompt += use.tokens;
    this.bill.verifier.read(use, use.tokens);
    return { text, tokens: use.tokens, score: null };
  }

  private readStep(siblings: Map<string, Node>, step: string, number: number, above: Promise<Read>): Node {
    const node = { read: this.readAfter(above, step, number), below: new Map<string, Node>() };
    siblings.set(step, node);
    node.read.then(
      ({ score }) => score === null && siblings.delete(step),
      () => siblings.delete(step),
    );
    return node;
  }

  private async readAfter(above: Promise<Read>, step: string, number: number): Promise<Read> {
    const before = await above;
    const text = before.text + this.framed(step, number);
    const read = await this.work.run((signal) => this.pair.read(text + this.reading.probe, signal));
    if (read === null) return { text, tokens: before.tokens, score: null };
    this.count(read.prompt, before.tokens);
    return { text, tokens: read.prompt.tokens, score: read.share };
  }

  private count(use: PromptUse, before: number): void {
    const fresh = Math.max(0, use.tokens - before);
    this.bill.score(fresh);
    this.bill.verifier.read(use, fresh);
  }

  private framed(step: string, number: number): string {
    const { first, next, asItIs, oneLine } = this.reading;
    const { before, after, trims } = number === 1 ? first : next;
    const line = asItIs ? step : (trims ? step.trimStart() : step.replace(/^[\r\n]+/, "")).trimEnd();
    const words = (text: string) => text.replaceAll("{k}", String(number));
    return words(before) + (oneLine && !asItIs ? line.replaceAll("\n", " ") : line) + words(after);
  }
}

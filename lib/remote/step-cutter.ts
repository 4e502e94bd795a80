/**
 * Cuts a text into steps while it is written.
 *
 * Owns: where a step ends, by the rules of native/scheduler/step_text.h. Must not know: servers, trees.
 */
import type { StepEnd } from "../engine/codec.js";
import type { Step } from "../engine/search-tree.js";
import type { Piece } from "./completions.js";
import { PatternScan } from "./pattern-scan.js";

export interface StepRules {
  readonly steps: StepEnd;
  /** A step that begins with it is the last; empty: only the end token ends. */
  readonly finalPrefix: string;
  /** The solution ends before any of these. */
  readonly stop: readonly string[];
}

/** on: the step goes on. step: it has ended. last: so has the solution. */
export type Cut = "on" | "step" | "last";

export class StepCutter {
  private text = "";
  private tokens = 0;
  private logProbability = 0;
  private scan: PatternScan | undefined;

  constructor(private readonly rules: StepRules) {
    this.begin();
  }

  /** Whether nothing of the step is there yet. */
  get empty(): boolean {
    return this.tokens === 0;
  }

  /** Whether the step ends before this piece, which is none of it: the model was unsure. */
  endsBefore({ logProbability }: Piece): boolean {
    const { leastLogProbability = -Infinity } = this.rules.steps;
    return logProbability < leastLogProbability && firstWord(this.text) >= 0;
  }

  take(piece: Piece): Cut {
    const known = this.text.length;
    this.text += piece.text;
    this.tokens += piece.tokens;
    this.logProbability += piece.logProbability;

    const stops = this.rules.stop.map((stop) => this.findNew(stop, 0, known)).filter((at) => at >= 0);
    if (stops.length > 0) {
      this.text = this.text.slice(0, Math.min(...stops));
      return "last";
    }
    if (!this.ends(piece.text, known)) return "on";
    return this.isLast() ? "last" : "step";
  }

  /** What was drawn besides, and has no letters. */
  count(tokens: number): void {
    this.tokens += tokens;
  }

  /** The step, and a new one begins. */
  cut(): Step {
    const { text, tokens, logProbability } = this;
    this.begin();
    return { text, tokens, logProbability, score: null };
  }

  private begin(): void {
    const { pattern } = this.rules.steps;
    this.text = "";
    this.tokens = 0;
    this.logProbability = 0;
    this.scan = pattern && new PatternScan(pattern);
  }

  /** A blank line is not a step of its own: it begins the next one. */
  private ends(letters: string, known: number): boolean {
    const { delimiters, tokens } = this.rules.steps;
    const matched = this.scan?.read(letters) ?? false;
    const word = firstWord(this.text);
    if (word < 0) return false;
    if (matched || (tokens !== undefined && this.tokens >= tokens)) return true;
    return delimiters.some((delimiter) => this.findNew(delimiter, word, known) >= 0);
  }

  private isLast(): boolean {
    const { finalPrefix } = this.rules;
    if (finalPrefix === "") return false;
    return this.text.startsWith(finalPrefix) || this.text.startsWith(finalPrefix, firstWord(this.text));
  }

  /** Where words first stand from `from` on; they did not end in the first `known` letters. */
  private findNew(words: string, from: number, known: number): number {
    return this.text.indexOf(words, Math.max(from, known - words.length + 1));
  }
}

/** Below 0 if there is none. */
function firstWord(text: string): number {
  return text.search(/[^ \t\r\n]/);
}

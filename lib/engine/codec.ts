/**
 * The wire to the native engine: commands as numbers and strings.
 *
 * Owns: the layout of commands. bindings/codec.cpp is the other end; the two must match.
 * Must not know: promises, trees.
 */

/** How the next token is drawn. Truncation comes first, then temperature, in llama.cpp's order. */
export interface SamplerOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Keep the k likeliest tokens; 0: all. */
  readonly topK: number;
  /** Keep the fewest tokens that together have this share of the probability; 1: all. */
  readonly topP: number;
  /** Drop tokens less likely than this share of the likeliest; 0: none. */
  readonly minP: number;
}

/**
 * A template and what people have said in it, in turns: the template begins. Special tokens are recognised in the template
 * alone. What is said next to each other has an empty piece of template between.
 */
export type Prompt = readonly string[];

/** Where a step ends: with the first of these that comes true; with none of them the whole solution is one step. */
export interface StepEnd {
  /** Up to and including any of these. */
  readonly delimiters: readonly string[];
  /** After so many. */
  readonly tokens?: number;
  /** Before a token that is drawn and is less likely than this by the model, in natural logarithms. */
  readonly leastLogProbability?: number;
  /** Where a match first ends. */
  readonly pattern?: StepPattern;
}

/** Characters in their places, 256 at most; native/scheduler/pattern.h. Numbers are those of places. */
export interface StepPattern {
  readonly places: readonly {
    /** Code points, from and to. */
    readonly characters: readonly (readonly [number, number])[];
    readonly next: readonly number[];
  }[];
  readonly first: readonly number[];
  readonly last: readonly number[];
}

export interface OpenCommand {
  /** Text alone is all template. */
  readonly prompt: string | Prompt;
  readonly verifierPrompt: string | Prompt;
  /** An unsigned integer of at most 53 bits. */
  readonly seed: number;
  readonly tokenBudget: number | undefined;
  readonly deadlineMs: number | undefined;
  /** Tokens of one solution. */
  readonly maxLength: number | undefined;
  /** A hard cap on the ledger's `flops`: no decode is begun that could pass it. Default: none. */
  readonly flopsBudget?: number | undefined;
  /**
   * What the verifier reads before a conditioned branch's steps. False: its own prompt alone, as if they were a first
   * attempt. True: all that the generator has read, the earlier attempts included. Default false.
   */
  readonly verifierSeesContext?: boolean | undefined;
  readonly steps: StepEnd;
  readonly finalPrefix: string;
  readonly stop: readonly string[];
}

/** A step as `NativeStep` told it, on its way back into another engine of the same models. */
export interface WrittenStep {
  readonly text: string;
  readonly ids: Int32Array;
  readonly cut: boolean;
  readonly last: boolean;
  /** The verifier has decoded it before. */
  readonly scored: boolean;
}

const OP = {
  open: 0,
  fork: 1,
  extend: 2,
  score: 3,
  release: 4,
  stop: 5,
  ledger: 6,
  close: 7,
  condition: 8,
  hidden: 9,
  write: 10,
  pair: 11,
  restore: 12,
} as const;
const WITHOUT_LIMIT = -1;
const UINT32 = 2 ** 32;
/** In place of an account's id: the search's two budgets are its own. */
export const OWN_ACCOUNT = 0;
/** In place of the search that another judges. */
export const NOBODY = 0;

/** What trees say: to the wire, or to whoever takes notes. */
export type Commands = Pick<
  CommandBuffer,
  | ("open" | "fork" | "condition" | "write" | "extend" | "score" | "pair")
  | ("release" | "hidden" | "stop" | "ledger" | "close")
>;

/** A command, which may be written down more than once. */
export type Command = (to: Commands) => void;

/** Commands on their way. `again`: what is to be decoded for them was decoded before, by an engine that is no more. */
export class CommandBuffer {
  private numbers: number[] = [];
  private strings: string[] = [];

  get empty(): boolean {
    return this.numbers.length === 0;
  }

  /** `judges`: the search whose steps this one judges, or `NOBODY`. */
  open(
    request: number,
    search: number,
    root: number,
    account: number,
    judges: number,
    command: OpenCommand,
    again = false,
  ): void {
    const { seed, stop, steps, verifierSeesContext = false } = command;
    const limits = [command.tokenBudget, command.deadlineMs, command.maxLength, command.flopsBudget];
    this.numbers.push(OP.open, request, search, root, Math.floor(seed / UINT32), seed % UINT32);
    this.numbers.push(...limits.map((limit) => limit ?? WITHOUT_LIMIT), account, judges);
    this.numbers.push(verifierSeesContext ? 1 : 0, again ? 1 : 0, stop.length, steps.delimiters.length);
    this.numbers.push(steps.tokens ?? 0, steps.leastLogProbability ?? -Infinity);
    this.pattern(steps.pattern);
    this.prompt(command.prompt);
    this.prompt(command.verifierPrompt);
    this.strings.push(command.finalPrefix, ...steps.delimiters, ...stop);
  }

  private pattern(pattern: StepPattern | undefined): void {
    const list = (numbers: readonly number[]) => this.numbers.push(numbers.length, ...numbers);
    this.numbers.push(pattern?.places.length ?? 0);
    if (pattern === undefined) return;
    for (const { characters, next } of pattern.places) {
      this.numbers.push(characters.length);
      for (const range of characters) this.numbers.push(...range);
      list(next);
    }
    list(pattern.first);
    list(pattern.last);
  }

  private prompt(prompt: string | Prompt): void {
    const parts = [prompt].flat();
    this.numbers.push(parts.length);
    this.strings.push(...parts);
  }

  fork(parent: number, first: number, count: number): void {
    this.numbers.push(OP.fork, parent, first, count);
  }

  /** A template, words, a template, and so on. */
  condition(parent: number, branch: number, texts: readonly string[], again = false): void {
    this.numbers.push(OP.condition, parent, branch, again ? 1 : 0, texts.length);
    this.strings.push(...texts);
  }

  /** `scored`: the verifier, too, has decoded it before. */
  write(branch: number, text: string, last: boolean, again = false, scored = false): void {
    this.numbers.push(OP.write, branch, last ? 1 : 0, again ? 1 : 0, scored ? 1 : 0);
    this.strings.push(text);
  }

  /** What an `extend` wrote in another life. */
  restore(branch: number, finished: boolean, steps: readonly WrittenStep[]): void {
    this.numbers.push(OP.restore, branch, finished ? 1 : 0, steps.length);
    for (const { text, ids, cut, last, scored } of steps) {
      this.numbers.push(cut ? 1 : 0, last ? 1 : 0, scored ? 1 : 0, ids.length, ...ids);
      this.strings.push(text);
    }
  }

  extend(request: number, branch: number, steps: number, score: boolean, sampler: SamplerOptions, ahead = 0): void {
    const { temperature, topK, topP, minP } = sampler;
    const atMost = Math.min(steps, UINT32 - 1);
    this.numbers.push(OP.extend, request, branch, atMost, score ? 1 : 0, temperature, topK, topP, minP, ahead);
  }

  score(request: number, branch: number): void {
    this.numbers.push(OP.score, request, branch);
  }

  pair(request: number, branch: number, positive: string, negative: string): void {
    this.numbers.push(OP.pair, request, branch);
    this.strings.push(positive, negative);
  }

  release(branch: number): void {
    this.numbers.push(OP.release, branch);
  }

  hidden(request: number, search: number): void {
    this.numbers.push(OP.hidden, request, search);
  }

  stop(search: number): void {
    this.numbers.push(OP.stop, search);
  }

  ledger(request: number, search: number): void {
    this.numbers.push(OP.ledger, request, search);
  }

  close(request: number, search: number): void {
    this.numbers.push(OP.close, request, search);
  }

  /** Empties the buffer. */
  take(): [numbers: Float64Array, strings: string[]] {
    const taken: [Float64Array, string[]] = [Float64Array.from(this.numbers), this.strings];
    this.numbers = [];
    this.strings = [];
    return taken;
  }
}

/**
 * A SearchTree without a model: samples from a tree of steps written down in a test, whose best path is known.
 *
 * Owns: sampling by seed and branch path (never by completion order), the accounts that tests assert on, faults on
 * demand, and the contract's prohibitions, each of which throws.
 * Must not know: any strategy.
 */
import { ThinkTreeError } from "../../lib/errors.js";
import type { Branch, ExtendOptions, FinishReason, SearchTree, Step } from "../../lib/engine/search-tree.js";

/** One way to go on. */
export interface ToyStep {
  readonly text: string;
  /** Relative to its siblings'. Default 1. At temperature 0 the largest is taken, the first among equals. */
  readonly probability?: number;
  /** What the verifier says, in [0, 1]. Default 0.5. */
  readonly score?: number;
  /** Default 1. */
  readonly tokens?: number;
  /** The ways to go on from here; a function makes deep trees cheap. None: the solution ends with this step. */
  readonly then?: ToySteps;
}

/** The steps that can follow a context: everything between the question and the branch's own steps. */
type ToyReviser = (context: string) => ToySteps;

export type ToySteps = readonly ToyStep[] | (() => readonly ToyStep[]);

export interface ToyOptions {
  readonly seed?: number;
  /** Generated tokens, over all branches. */
  readonly tokenBudget?: number;
  /** The deadline passes after so many steps written and steps scored. */
  readonly deadline?: number;
  /** Tokens of one branch before it stops with "length". */
  readonly maxLength?: number;
  /** What a conditioned branch samples from. Left out: what the root samples from. */
  readonly revised?: ToyReviser;
  /** The verifier's error: every score moves by up to this much, up or down, by seed and path. */
  readonly noise?: number;
  /** Branches complete one by one in an order drawn from this seed. Left out: in the order they are named. */
  readonly delaySeed?: number;
  /** The n-th call (from 1) of this kind fails, after half of its branches are done. */
  readonly failOn?: { readonly call: "extend" | "score"; readonly n: number };
}

/**
 * What was called, in order. Branches are named by the text they had at the time; for `condition`, `before` is the context
 * and the text that stood there already, `text` what was given.
 */
export type ToyCall =
  | { readonly call: "fork"; readonly text: string; readonly n: number; readonly finished: boolean }
  | { readonly call: "condition"; readonly before: string; readonly text: string }
  | { readonly call: "extend"; readonly texts: readonly string[]; readonly options: ExtendOptions }
  | { readonly call: "score"; readonly texts: readonly string[] }
  | { readonly call: "release"; readonly texts: readonly string[] };

/** One step on the tree. Branches forked below it share it, and so share its score. */
class ToyNode implements Step {
  score: number | null = null;
  constructor(
    readonly text: string,
    readonly tokens: number,
    readonly logProbability: number,
    readonly verdict: number,
  ) {}
}

class ToyBranch implements Branch {
  readonly path: ToyNode[];
  children = 0;
  busy = false;
  released = false;
  finishReason: FinishReason | null = null;

  constructor(
    readonly id: number,
    /** The branch's own random stream: a function of the seed and the forks that led here. */
    readonly stream: number,
    public next: ToySteps | undefined,
    path: readonly ToyNode[],
    /** What stands between the question and the path. */
    readonly context = "",
  ) {
    this.path = [...path];
  }

  get steps(): readonly Step[] {
    return this.path.map(({ text, tokens, logProbability, score }) => ({ text, tokens, logProbability, score }));
  }
  get text(): string {
    return this.path.map((step) => step.text).join("");
  }
  get finished(): boolean {
    return this.finishReason === "end";
  }
  get length(): number {
    return this.path.reduce((sum, step) => sum + step.tokens, 0);
  }
}

export class ToyTree implements SearchTree {
  readonly root: Branch;
  readonly calls: ToyCall[] = [];
  /** Generated tokens. */
  tokens = 0;
  stepsWritten = 0;
  stepsScored = 0;
  /** Times a branch that was not whole was extended and wrote nothing. */
  idleExtends = 0;
  /** Branches forked or conditioned and not yet released. */
  live = 0;
  peakLive = 0;
  /** Texts of the branches that ended whole, in order of completion. */
  readonly wholeTexts: string[] = [];
  /** The contexts they were written in, in the same order. */
  readonly wholeContexts: string[] = [];
  readonly #steps: ToySteps;
  readonly #options: ToyOptions;
  readonly #seed: number;
  #branches = 0;
  readonly #made = { extend: 0, score: 0 };

  constructor(steps: ToySteps, options: ToyOptions = {}) {
    this.#steps = steps;
    this.#options = options;
    this.#seed = mix(options.seed ?? 1, 0x5eed);
    this.root = new ToyBranch(0, this.#seed, steps, []);
  }

  get exhausted(): boolean {
    return this.#late || this.#tokensLeft <= 0;
  }
  get #late(): boolean {
    return this.stepsWritten + this.stepsScored >= (this.#options.deadline ?? Infinity);
  }
  get #tokensLeft(): number {
    return (this.#options.tokenBudget ?? Infinity) - this.tokens;
  }

  fork(branch: Branch, n: number): Branch[] {
    const parent = this.#own(branch, "fork");
    if (!Number.isInteger(n) || n < 1) throw new ThinkTreeError("INVALID_OPTION", `fork into ${n}`);
    this.calls.push({ call: "fork", text: parent.text, n, finished: parent.finished });
    this.#hold(n);
    return Array.from({ length: n }, () => {
      const child = this.#child(parent, parent.next, parent.path, parent.context);
      child.finishReason = parent.finishReason;
      return child;
    });
  }

  condition(branch: Branch, text: string): Branch {
    const parent = this.#own(branch, "condition");
    const before = parent.context + parent.text;
    const context = before + text;
    this.calls.push({ call: "condition", before, text });
    this.#hold(1);
    return this.#child(parent, this.#options.revised?.(context) ?? this.#steps, [], context);
  }

  async extend(branches: readonly Branch[], options: ExtendOptions = {}): Promise<void> {
    this.calls.push({ call: "extend", texts: branches.map(({ text }) => text), options });
    await this.#each("extend", branches, (branch) => {
      if (branch === this.root) throw new Error("contract: extending the root would spoil it for every other branch");
      if (branch.finished) return;
      const before = branch.path.length;
      for (let i = 0; i < (options.steps ?? 1); i++) {
        branch.finishReason = this.#writeStep(branch, options.temperature === 0);
        if (options.score) this.#scorePath(branch);
        if (branch.finishReason !== "step") break;
      }
      if (branch.path.length === before) this.idleExtends++;
      if (!branch.finished) return;
      this.wholeTexts.push(branch.text);
      this.wholeContexts.push(branch.context);
    });
  }

  async score(branches: readonly Branch[]): Promise<void> {
    this.calls.push({ call: "score", texts: branches.map(({ text }) => text) });
    await this.#each("score", branches, (branch) => this.#scorePath(branch));
  }

  release(branches: readonly Branch[]): void {
    const owned = branches.map((branch) => this.#own(branch, "release"));
    if (branches.includes(this.root)) throw new Error("contract: the root is not the strategy's to release");
    if (new Set(owned).size < owned.length) throw new Error("contract: released twice in one call");
    this.calls.push({ call: "release", texts: branches.map(({ text }) => text) });
    for (const branch of owned) branch.released = true;
    this.live -= owned.length;
  }

  #child(parent: ToyBranch, next: ToySteps | undefined, path: readonly ToyNode[], context: string): ToyBranch {
    return new ToyBranch(++this.#branches, mix(parent.stream, ++parent.children), next, path, context);
  }

  #hold(n: number): void {
    this.live += n;
    this.peakLive = Math.max(this.peakLive, this.live);
  }

  #writeStep(branch: ToyBranch, greedy: boolean): FinishReason {
    if (this.#late) return "deadline";
    if (this.#tokensLeft <= 0) return "budget";
    const room = (this.#options.maxLength ?? Infinity) - branch.length;
    if (room <= 0) return "length";
    const choices = typeof branch.next === "function" ? branch.next() : (branch.next ?? []);
    const total = choices.reduce((sum, { probability = 1 }) => sum + probability, 0);
    const {
      text,
      probability = 1,
      score = 0.5,
      tokens = 1,
      then,
    } = greedy
      ? choices.reduce((a, b) => ((b.probability ?? 1) > (a.probability ?? 1) ? b : a))
      : draw(choices, total * uniform(mix(branch.stream, branch.path.length)));

    const written = Math.min(tokens, room, this.#tokensLeft);
    this.tokens += written;
    this.stepsWritten++;
    const noise = (this.#options.noise ?? 0) * (2 * uniform(mix(branch.stream, branch.path.length, 0xabc)) - 1);
    const verdict = Math.min(1, Math.max(0, score + noise));
    const part = written < tokens ? text.slice(0, Math.floor((text.length * written) / tokens)) : text;
    branch.path.push(new ToyNode(part, written, Math.log(probability / total), verdict));
    if (written < tokens) return written === room ? "length" : "budget";
    branch.next = then;
    return then === undefined ? "end" : "step";
  }

  #scorePath(branch: ToyBranch): void {
    for (const node of branch.path) {
      if (node.score !== null) continue;
      if (this.#late) return;
      node.score = node.verdict;
      this.stepsScored++;
    }
  }

  /** Does the work of one call, a branch at a time; settles when every branch is at rest. */
  async #each(call: "extend" | "score", branches: readonly Branch[], work: (branch: ToyBranch) => void): Promise<void> {
    const owned = branches.map((branch) => this.#own(branch, call));
    if (new Set(owned).size < owned.length) throw new Error(`contract: ${call} of the same branch twice in one call`);
    const made = ++this.#made[call];
    const fails = this.#options.failOn?.call === call && this.#options.failOn.n === made;
    for (const branch of owned) branch.busy = true;
    const order = this.#options.delaySeed;
    const delay = (branch: ToyBranch) => (order === undefined ? 0 : mix(order, made, branch.id) % 16);
    const delays = new Map(owned.map((branch) => [branch, delay(branch)]));
    await Promise.all(
      owned.map(async (branch, i) => {
        for (let turns = 1 + delays.get(branch)!; turns > 0; turns--) await Promise.resolve();
        if (!fails || i < owned.length / 2) work(branch);
      }),
    ).finally(() => {
      for (const branch of owned) branch.busy = false;
    });
    if (fails) throw new ThinkTreeError("DECODE_FAILED", `${call} ${made} fails on demand`);
  }

  #own(branch: Branch, call: string): ToyBranch {
    if (!(branch instanceof ToyBranch)) throw new Error(`contract: ${call} of a branch of another tree`);
    if (branch.released) throw new ThinkTreeError("BRANCH_RELEASED", `contract: ${call} of a released branch`);
    if (branch.busy) throw new Error(`contract: ${call} of a branch with a call under way`);
    return branch;
  }
}

function draw(choices: readonly ToyStep[], at: number): ToyStep {
  let rest = at;
  for (const choice of choices) {
    rest -= choice.probability ?? 1;
    if (rest < 0) return choice;
  }
  return choices.at(-1)!;
}

/** A 32-bit hash of integers: murmur3's finaliser over each. */
function mix(...values: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

function uniform(hash: number): number {
  return mix(hash, 0x51) / 2 ** 32;
}

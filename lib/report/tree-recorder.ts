/**
 * A search as it happened: every step written, when it was, what was scored, when it was given up.
 *
 * Owns: a decorator of strategies and of the tree they see.
 * Must not know: any one strategy, pictures, tokens' ids.
 *
 * A round is what the strategy reports as one. Parallel subtrees are each at their own round, and a lookahead's rollout
 * belongs to the round it decides: so a step's round is the number of times its branch was extended, and never later
 * than the round under way. Where a strategy reports none, the number of extensions alone counts.
 */
import type { Branch, ExtendOptions, SearchTree } from "../engine/search-tree.js";
import type { RoundReport, SearchContext, Strategy } from "../strategies/strategy.js";
import type { AnswerOf, Solution } from "../verifiers/solution.js";
import type { RecordedStep, TreeRecording } from "./recording.js";

/** The same strategy, watched. One search at a time. */
export function recordTree(strategy: Strategy): { strategy: Strategy; recording: TreeRecording } {
  const { name, options } = strategy;
  const recording: TreeRecording = { strategy: name, options, steps: [], rounds: 0, chosen: null };
  const ends = new Map<string, number>();
  return {
    recording,
    strategy: Object.freeze({
      ...strategy,
      async explore(tree, context) {
        const recorder = new TreeRecorder(tree);
        Object.assign(recording, { steps: [], rounds: 0, chosen: null });
        ends.clear();
        const solutions = await recorder.explore(strategy, context);
        const { steps, ends: found } = recorder.finish(solutions);
        for (const [solution, id] of found) ends.set(keyOf(solution.steps), id);
        const rounds = Math.max(0, ...steps.map(({ round }) => round));
        Object.assign(recording, { steps, rounds });
        return solutions;
      },
      rank(solutions) {
        const candidates = strategy.rank(solutions);
        recording.chosen = (candidates[0] && ends.get(keyOf(candidates[0].steps))) ?? null;
        return candidates;
      },
    } satisfies Strategy),
  };
}

/** A step while the search goes on. */
interface Draft {
  readonly id: number;
  readonly parent: Draft | null;
  readonly text: string;
  readonly given: boolean;
  /** How often the branch had been extended when it wrote this step. */
  readonly extensions: number;
  readonly roundUnderWay: number;
  /** Where its score is read off once the search is over; scores come later than steps. */
  readonly origin: { readonly branch: Branch; readonly index: number };
  /** Branches through it that are not released. */
  live: number;
  /** The extensions and the round of the branch released last. */
  closed: { readonly extensions: number; readonly roundUnderWay: number } | null;
}

/** Where a branch stands. */
interface Cursor {
  tip: Draft | null;
  /** Steps of the branch that are drafts already. */
  known: number;
  extensions: number;
  /** Whether its last extension has written nothing so far. */
  begun: boolean;
  released: boolean;
}

export class TreeRecorder implements SearchTree {
  readonly #tree: SearchTree;
  readonly #drafts: Draft[] = [];
  /** The last round that a strategy reported, and the last one of the strategies before it. */
  #reported = 0;
  #before = 0;
  readonly #cursors = new Map<Branch, Cursor>();

  constructor(tree: SearchTree) {
    this.#tree = tree;
    const { root } = tree;
    this.#cursors.set(root, { tip: null, known: root.steps.length, extensions: 0, begun: false, released: false });
  }

  get root(): Branch {
    return this.#tree.root;
  }

  get exhausted(): boolean {
    return this.#tree.exhausted;
  }

  /** Another strategy begins: its rounds come after those that there were. */
  begin(): void {
    this.#before = this.#reported = this.#drafts.length === 0 ? 0 : this.#lastRound();
    this.#cursors.get(this.root)!.extensions = this.#before;
  }

  /** What the strategy finds on this tree, watched round by round. */
  explore(strategy: Strategy, context: SearchContext): Promise<Solution[]> {
    const onRound = (round: RoundReport) => {
      this.onRound(round);
      context.onRound?.(round);
    };
    return strategy.explore(this, { ...context, onRound });
  }

  private onRound({ round }: RoundReport): void {
    this.#reported = Math.max(this.#reported, this.#before + round);
  }

  fork(branch: Branch, n: number): Branch[] {
    const children = this.#tree.fork(branch, n);
    const cursor = this.#cursors.get(branch)!;
    for (const child of children) {
      this.#cursors.set(child, { ...cursor, released: false });
      hold(cursor.tip);
    }
    return children;
  }

  condition(branch: Branch, text: string): Branch {
    const child = this.#tree.condition(branch, text);
    const own = this.#cursors.get(branch)!;
    const quoted = own.tip === null ? this.#quotedIn(text) : undefined;
    const { tip, extensions } = quoted?.cursor ?? own;
    const rest = quoted ? text.slice(quoted.end) : text;
    // Shown with the attempt it asks for, which is the next to be written.
    const given = this.#draft(tip, rest, true, extensions + 1, { branch: child, index: -1 });
    hold(given);
    this.#cursors.set(child, { tip: given, known: child.steps.length, extensions, begun: false, released: false });
    return child;
  }

  async extend(branches: readonly Branch[], options?: ExtendOptions): Promise<void> {
    for (const branch of branches) this.#cursors.get(branch)!.begun = true;
    try {
      await this.#tree.extend(branches, options);
    } finally {
      for (const branch of branches) this.#grow(branch);
    }
  }

  async score(branches: readonly Branch[]): Promise<void> {
    await this.#tree.score(branches);
  }

  release(branches: readonly Branch[]): void {
    this.#tree.release(branches);
    for (const branch of branches) {
      const cursor = this.#cursors.get(branch)!;
      if (cursor.released) continue;
      cursor.released = true;
      const closed = { extensions: cursor.extensions, roundUnderWay: this.#reported + 1 };
      for (let draft = cursor.tip; draft; draft = draft.parent) {
        draft.live--;
        draft.closed = closed;
      }
    }
  }

  /**
   * The recording while the search goes on: whole texts count as solutions, and what is held is not pruned. What a branch
   * under way has written is in it as soon as the branch has completed, though others still write.
   */
  soFar(answerOf: AnswerOf): RecordedStep[] {
    const solved = new Map<Draft, RecordedStep["solution"]>();
    for (const [branch, cursor] of this.#cursors) {
      if (!cursor.released) this.#grow(branch);
      if (!branch.finished || cursor.tip === null || cursor.tip.given || solved.has(cursor.tip)) continue;
      solved.set(cursor.tip, { answer: answerOf(branch.text), score: null, whole: true });
    }
    return this.#record(solved, null);
  }

  /** The recording, and where on it each solution ends. Equal solutions are given equal ends in turn. */
  finish(solutions: readonly Solution[]): { steps: RecordedStep[]; ends: Map<Solution, number> } {
    const tips = new Map<string, Set<Draft>>();
    for (const [branch, { tip }] of this.#cursors) {
      if (tip === null || tip.given) continue;
      const key = keyOf(branch.steps);
      tips.set(key, (tips.get(key) ?? new Set()).add(tip));
    }
    const ends = new Map<Solution, number>();
    const solved = new Map<Draft, RecordedStep["solution"]>();
    for (const solution of solutions) {
      const places = tips.get(keyOf(solution.steps));
      const end = places?.values().next().value;
      if (!places || !end) continue;
      if (places.size > 1) places.delete(end);
      ends.set(solution, end.id);
      solved.set(end, { answer: solution.answer, score: solution.score, whole: solution.finished });
    }
    // A branch still held when its strategy is done is given up by whoever holds the tree: at the end.
    return { steps: this.#record(solved, this.#lastRound()), ends };
  }

  /** `end`: the round in which all that is still held is given up; null: none yet. */
  #record(solved: ReadonlyMap<Draft, RecordedStep["solution"]>, end: number | null): RecordedStep[] {
    const fruitful = new Set<Draft>();
    for (const tip of solved.keys()) {
      for (let draft: Draft | null = tip; draft && !fruitful.has(draft); draft = draft.parent) fruitful.add(draft);
    }
    return this.#drafts.map((draft) => {
      const { id, parent, text, given, origin, closed } = draft;
      const round = this.#roundOf(draft);
      const step = origin.branch.steps[origin.index];
      const givenUp = closed && draft.live === 0 ? this.#roundOf(closed) : end;
      return {
        ...{ id, parent: parent?.id ?? null, text, given, round },
        tokens: step?.tokens ?? 0,
        score: step?.score ?? null,
        pruned: fruitful.has(draft) || givenUp === null ? null : Math.max(round, givenUp),
        solution: solved.get(draft) ?? null,
      };
    });
  }

  #lastRound(): number {
    return this.#drafts.reduce((last, draft) => Math.max(last, this.#roundOf(draft)), 1);
  }

  #roundOf({ extensions, roundUnderWay }: { extensions: number; roundUnderWay: number }): number {
    return Math.max(1, this.#reported === 0 ? extensions : Math.min(extensions, roundUnderWay));
  }

  /** The last whole attempt that a text repeats. To the model it makes no difference: the new attempt follows that one. */
  #quotedIn(text: string): { cursor: Cursor; end: number } | undefined {
    const quotes = [...this.#cursors].flatMap(([{ finished, text: attempt }, cursor]) => {
      const at = finished && attempt !== "" ? text.lastIndexOf(attempt) : -1;
      return at < 0 ? [] : [{ cursor, end: at + attempt.length, length: attempt.length }];
    });
    // Of equal attempts, the one not yet given up: a strategy asks for the next before it lets go of the last.
    const given = ({ cursor }: { cursor: Cursor }) => Number(cursor.released);
    return quotes.sort((a, b) => b.end - a.end || b.length - a.length || given(a) - given(b))[0];
  }

  #grow(branch: Branch): void {
    const cursor = this.#cursors.get(branch)!;
    const { steps } = branch;
    if (steps.length === cursor.known) return;
    if (cursor.begun) cursor.extensions++;
    cursor.begun = false;
    for (let index = cursor.known; index < steps.length; index++) {
      cursor.tip = this.#draft(cursor.tip, steps[index]!.text, false, cursor.extensions, { branch, index });
      cursor.tip.live = 1;
    }
    cursor.known = steps.length;
  }

  #draft(parent: Draft | null, text: string, given: boolean, extensions: number, origin: Draft["origin"]): Draft {
    const place = { id: this.#drafts.length, parent, text, given, extensions, origin };
    const draft: Draft = { ...place, roundUnderWay: this.#reported + 1, live: 0, closed: null };
    this.#drafts.push(draft);
    return draft;
  }
}

/** One more branch through this step and those before it. */
function hold(tip: Draft | null): void {
  for (let draft = tip; draft; draft = draft.parent) draft.live++;
}

/** Equal texts step by step have equal keys. */
export function keyOf(steps: Solution["steps"]): string {
  return JSON.stringify(steps.map(({ text }) => text));
}

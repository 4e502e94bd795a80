/**
 * A search's tree while it grows, told to one reader at the reader's own pace.
 *
 * Owns: one recording over all strategies of a search; what its reader knows of it already.
 * Must not know: who reads, strategies, pictures.
 *
 * Nothing is queued: a reader that asks seldom is told less often, never less. Each step is told when it is new, and again
 * when it has been scored, pruned or found to end a solution.
 */
import type { Step } from "../engine/search-tree.js";
import type { Strategy } from "../strategies/strategy.js";
import { wholeIfAny, type AnswerOf, type Solution } from "../verifiers/solution.js";
import type { RecordedStep, TreeNews } from "./recording.js";
import { keyOf, TreeRecorder } from "./tree-recorder.js";

export class LiveRecording {
  #recorder: TreeRecorder | undefined;
  #answerOf: AnswerOf = () => null;
  readonly #found: Solution[] = [];
  /** By their ids. */
  readonly #told: RecordedStep[] = [];
  #chosen: readonly Step[] | undefined;
  #over = false;

  /** For `SolveOptions.watch`. All strategies must be of one search. */
  readonly watch = (strategy: Strategy): Strategy =>
    Object.freeze({
      ...strategy,
      explore: async (tree, context) => {
        const recorder = (this.#recorder ??= new TreeRecorder(tree));
        this.#answerOf = context.answerOf;
        recorder.begin();
        const solutions = await recorder.explore(strategy, context);
        this.#found.push(...solutions);
        return solutions;
      },
    } satisfies Strategy);

  /** The search is over, and has chosen the solution of these steps. */
  end(chosen: readonly Step[]): void {
    this.#chosen = chosen;
  }

  /** What the reader does not know yet; null: nothing. The last time is after `end`. */
  news(): TreeNews | null {
    const { steps, chosen } = this.#now();
    const changed = steps.filter((step) => !isSame(step, this.#told[step.id]));
    const over = this.#chosen !== undefined;
    if (changed.length === 0 && over === this.#over) return null;
    this.#over = over;
    for (const step of changed) this.#told[step.id] = step;
    return { steps: changed, rounds: steps.reduce((last, { round }) => Math.max(last, round), 0), chosen };
  }

  #now(): { steps: readonly RecordedStep[]; chosen: number | null } {
    if (this.#recorder === undefined) return { steps: [], chosen: null };
    if (this.#chosen === undefined) return { steps: this.#recorder.soFar(this.#answerOf), chosen: null };
    const { steps, ends } = this.#recorder.finish(wholeIfAny(this.#found));
    const places = new Map([...ends].map(([solution, id]) => [keyOf(solution.steps), id]));
    return { steps, chosen: places.get(keyOf(this.#chosen)) ?? null };
  }
}

/** Of one id: text, parent and tokens never change. */
function isSame(step: RecordedStep, told: RecordedStep | undefined): boolean {
  return (
    step.score === told?.score &&
    step.round === told.round &&
    step.pruned === told.pruned &&
    step.solution?.answer === told.solution?.answer &&
    step.solution?.score === told.solution?.score &&
    step.solution?.whole === told.solution?.whole
  );
}

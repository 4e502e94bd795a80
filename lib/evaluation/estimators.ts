/**
 * What k samples would have done, from n that were drawn: without bias, from subsets without replacement.
 *
 * Owns: pass@k and the chance that a way of choosing among k samples chooses a right one.
 * Must not know: how samples were drawn, questions.
 */
import { compareScores } from "../verifiers/selection.js";
import { mean, seededRandom, shuffle } from "./statistics.js";

/** One of n independent samples for a question. The order of the samples must not depend on what they say. */
export interface Sample {
  /** Equal answers are equal strings; null if there is none: such a sample is never chosen over others, and never right. */
  readonly answer: string | null;
  /** Of the whole solution, see aggregate(); null without a verifier. */
  readonly score: number | null;
  readonly right: boolean;
  /** The guards found something: not chosen while others are at hand. Default false. */
  readonly flagged?: boolean;
}

/** Ways to choose among samples, by the names of the strategies. */
export type Choice = "majority" | "best-of-n" | "weighted-best-of-n";

export const choices = ["majority", "best-of-n", "weighted-best-of-n"] as const satisfies readonly Choice[];

/** The chance that at least one of k of n samples, c of them right, is right (Chen et al. 2021, arXiv 2107.03374, sec. 2.1). */
export function passAtK(n: number, c: number, k: number): number {
  let none = 1;
  for (let i = 0; i < k; i++) none *= Math.max(0, n - c - i) / (n - i);
  return 1 - none;
}

/**
 * The chance that the choice among k of the samples is right; `k` from 1 to the number of samples.
 *
 * Exact for best-of-n and for k = 1 and k = n, where it is what the ranking of the same name chooses. For the others the
 * mean over at least `draws` random subsets, disjoint ones as far as they go: the standard error is under 0.5 / sqrt(draws),
 * over q questions under 0.5 / sqrt(q draws), thus half a point for 10 questions and 1,000 draws.
 */
export function chanceRight(choice: Choice, samples: readonly Sample[], k: number, draws = 1_000, seed = 1): number {
  const n = samples.length;
  if (k === 1) return mean(samples.map(isRight));
  if (choice === "best-of-n") return chanceBestRight(samples, k);
  const vote = new Vote(samples, choice);
  const order = Int32Array.from(samples.keys());
  if (k === n) return vote.chosen(order, 0, n);
  const random = seededRandom(seed);
  const groups = Math.floor(n / k);
  const shuffles = Math.ceil(draws / groups);
  let right = 0;
  for (let i = 0; i < shuffles; i++) {
    shuffle(order, random);
    for (let group = 0; group < groups; group++) right += vote.chosen(order, group * k, k);
  }
  return right / (shuffles * groups);
}

/** Of the samples, best first, the i-th is the best of those k subsets that have none before it. */
function chanceBestRight(samples: readonly Sample[], k: number): number {
  const n = samples.length;
  const bestFirst = [...samples].sort(
    (a, b) =>
      Number(a.flagged ?? false) - Number(b.flagged ?? false) ||
      Number(a.answer === null) - Number(b.answer === null) ||
      compareScores(a.score, b.score),
  );
  let chance = 0;
  let isBest = k / n; // C(n - 1 - i, k - 1) / C(n, k)
  for (let i = 0; i <= n - k; i++) {
    chance += isBest * isRight(bestFirst[i]!);
    isBest *= (n - i - k) / (n - 1 - i);
  }
  return Math.min(1, chance); // rounding may have gone beyond
}

/**
 * rankByVotes and rankByWeightedScore without their lists: hundreds of thousands of subsets are chosen from. A test holds
 * them to each other.
 */
class Vote {
  /** The group of each sample: those with its answer; -1 without one. */
  private readonly groups: Int32Array;
  private readonly scores: readonly (number | null)[];
  private readonly right: readonly number[];
  private readonly flagged: readonly boolean[];
  private readonly counts: Int32Array;
  private readonly weights: Float64Array;
  private readonly best: (number | null)[];

  constructor(
    samples: readonly Sample[],
    private readonly choice: Exclude<Choice, "best-of-n">,
  ) {
    const names = new Map<string, number>();
    this.groups = Int32Array.from(samples, ({ answer }) => {
      if (answer === null) return -1;
      if (!names.has(answer)) names.set(answer, names.size);
      return names.get(answer)!;
    });
    this.scores = samples.map(({ score }) => score);
    this.right = samples.map(isRight);
    this.flagged = samples.map(({ flagged = false }) => flagged);
    this.counts = new Int32Array(names.size);
    this.weights = new Float64Array(names.size);
    this.best = new Array<number | null>(names.size).fill(null);
  }

  /** 1 if the sample chosen among `order[from .. from + k)` is right. */
  chosen(order: Int32Array, from: number, k: number): number {
    const seen: number[] = []; // groups, in the order met
    const first: number[] = []; // the best sample of each, the first of equals
    let allFlagged = true;
    for (let at = from; at < from + k && allFlagged; at++) allFlagged = this.flagged[order[at]!]!;
    for (let at = from; at < from + k; at++) {
      const sample = order[at]!;
      const group = this.groups[sample]!;
      if (group < 0 || (this.flagged[sample] && !allFlagged)) continue;
      const score = this.scores[sample]!;
      if (this.counts[group] === 0) {
        seen.push(group);
        first[group] = sample;
        this.weights[group] = 0;
        this.best[group] = score;
      } else if (compareScores(score, this.best[group]!) < 0) {
        first[group] = sample;
        this.best[group] = score;
      }
      this.counts[group]!++;
      this.weights[group]! += this.choice === "majority" ? 1 : (score ?? 0);
    }
    let winner: number | undefined;
    for (const group of seen) if (winner === undefined || this.beats(group, winner)) winner = group;
    for (const group of seen) this.counts[group] = 0;
    return winner === undefined ? 0 : this.right[first[winner]!]!;
  }

  private beats(group: number, other: number): boolean {
    const order =
      this.weights[other]! - this.weights[group]! ||
      compareScores(this.best[group]!, this.best[other]!) ||
      this.counts[other]! - this.counts[group]!;
    return order < 0;
  }
}

function isRight({ answer, right }: Sample): number {
  return right && answer !== null ? 1 : 0;
}

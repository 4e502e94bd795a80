/**
 * Guards against solutions that please the verifier and say nothing.
 *
 * Owns: what counts as repetitive, empty or absurdly short. Must not know: scores, strategies, answers.
 *
 * Source: Snell et al. 2024, sec. 5.3: searching hard under a verifier finds "repetitive low-information steps" and
 * "overly short solutions of just 1-2 steps".
 */
import type { Candidate } from "./selection.js";
import type { Solution } from "./solution.js";

/**
 * - `repeated-step`: a step says the same as the one before it, or as two others.
 * - `empty-step`: a step is blank.
 * - `too-short`: one or two steps where independent samples take at least twice as many.
 */
export type Flag = "repeated-step" | "empty-step" | "too-short";

/** A candidate with what the guards found; nothing found: an empty list. */
export interface GuardedCandidate extends Candidate {
  readonly flags: readonly Flag[];
}

const shortest = 2;
/** Fewer samples say little about how long solutions are. */
const fewest = 4;

/** Chooses among the solutions without flags; those with flags follow, in the order that `rank` gives them. */
export function rankGuarded(
  rank: (solutions: readonly Solution[]) => Candidate[],
  solutions: readonly Solution[],
  independent: readonly Solution[],
): GuardedCandidate[] {
  const typical = typicalSteps(independent);
  const flagged = solutions.map((solution) => ({ solution, flags: flagsOf(solution, typical) }));
  const part = (clean: boolean) => {
    const members = flagged.filter(({ flags }) => (flags.length === 0) === clean);
    const found = new Map(members.map(({ solution, flags }) => [solution.steps, flags]));
    const ranked = rank(members.map(({ solution }) => solution));
    return ranked.map((candidate) => ({ ...candidate, flags: found.get(candidate.steps) ?? [] }));
  };
  return [...part(true), ...part(false)];
}

export function flagsOf(solution: Pick<Solution, "steps">, typical: number | null): Flag[] {
  const texts = solution.steps.map(({ text }) => text.trim());
  const flags: Flag[] = [];
  const repeated = texts.some(
    (text, i) => text !== "" && (text === texts[i - 1] || texts.filter((other) => other === text).length > 2),
  );
  if (repeated) flags.push("repeated-step");
  if (texts.some((text) => text === "")) flags.push("empty-step");
  if (typical !== null && texts.length <= shortest && 2 * texts.length <= typical) flags.push("too-short");
  return flags;
}

/** The median number of steps of independent whole solutions; null if there are too few to say. */
function typicalSteps(independent: readonly Solution[]): number | null {
  const lengths = independent.filter(({ finished }) => finished).map(({ steps }) => steps.length);
  if (lengths.length < fewest) return null;
  return lengths.sort((a, b) => a - b)[Math.floor(lengths.length / 2)]!;
}

/**
 * From which verifier score on the chosen solution can be trusted.
 *
 * Owns: the threshold's fit. Must not know: policies, engines.
 */
import type { CalibrationRecord } from "./records.js";

/** Of picks at or above the threshold, so many must be right, by the lower end of the interval. */
const trusted = 0.95;
/** Standard normal quantile of a one-sided 95% bound. */
const z = 1.645;

/**
 * The least score for which the best-scored of `probes` samples is right at least 95 times in 100: the largest set of the
 * best-scored picks whose Wilson lower bound (one-sided, 95%) reaches that. Null if there is none, or nothing is scored.
 * Looks at one question share its weight, so that many looks do not pass for many questions.
 */
export function fitStopScore(records: readonly CalibrationRecord[], probes: number): number | null {
  const picks = records.flatMap(({ samples }) => {
    const groups = Math.floor(samples.length / probes);
    return Array.from({ length: groups }, (_, i) => {
      const group = samples.slice(i * probes, (i + 1) * probes);
      const best = group.reduce((a, b) => ((b.score ?? -1) > (a.score ?? -1) ? b : a));
      return { score: best.score, right: best.right, weight: 1 / groups };
    });
  });
  const scored = picks.filter((pick): pick is typeof pick & { score: number } => pick.score !== null);
  scored.sort((a, b) => b.score - a.score);
  let threshold: number | null = null;
  let [seen, right] = [0, 0];
  for (const [i, pick] of scored.entries()) {
    seen += pick.weight;
    right += pick.right ? pick.weight : 0;
    const parted = pick.score > (scored[i + 1]?.score ?? -1);
    if (parted && wilsonLower(right, seen) >= trusted) threshold = pick.score;
  }
  return threshold;
}

/** The lower end of Wilson's score interval (Wilson 1927) for a proportion. */
function wilsonLower(right: number, seen: number): number {
  const share = right / seen;
  const middle = share + (z * z) / (2 * seen);
  const spread = z * Math.sqrt((share * (1 - share)) / seen + (z * z) / (4 * seen * seen));
  return (middle - spread) / (1 + (z * z) / seen);
}

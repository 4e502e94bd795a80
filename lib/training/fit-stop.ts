/**
 * When a search may end after its probes.
 *
 * Owns: the thresholds of the two rules, as loose as the tolerance allows.
 * Must not know: bins, strategies that search.
 *
 * A threshold is a trade: what is answered right with all samples and wrong with the probes that stopped, against their
 * tokens. Both rules' sources have thresholds of their own; how well agreement or scores tell right from wrong is the
 * models'.
 */
import { chanceRight } from "../evaluation/estimators.js";
import { mean } from "../evaluation/statistics.js";
import { reasonToStop, type StopRules } from "../scheduler/early-stop.js";
import { separateLooks, type CalibrationRecord } from "./records.js";

const thresholds = [0.95, 0.98, 0.99, 0.995, 0.999, 0.9999] as const;

/** Each rule may cost half of `tolerance`, an accuracy over all questions; a rule that always costs more is left out. */
export function fitStop(
  records: readonly CalibrationRecord[],
  probes: number,
  tolerance: number,
  verified: boolean,
): StopRules {
  const choice = verified ? "weighted-best-of-n" : "majority";
  const looks = records.map(({ samples }) => {
    const later = chanceRight(choice, samples, samples.length);
    return separateLooks(samples, probes).map((group) => ({
      group,
      loss: later - chanceRight(choice, group, group.length),
    }));
  });
  const loosest = (rules: (threshold: number) => StopRules): number | null =>
    thresholds.find((threshold) => {
      const stops = rules(threshold);
      const lost = looks.map((own) => mean(own.map(({ group, loss }) => (reasonToStop(stops, group) ? loss : 0))));
      return mean(lost) <= tolerance / 2;
    }) ?? null;
  return {
    agreement: loosest((agreement) => ({ agreement, share: null })),
    share: verified ? loosest((share) => ({ agreement: null, share })) : null,
  };
}

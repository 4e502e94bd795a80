/**
 * The policy for models that nobody has calibrated.
 *
 * Owns: what it says and why. Must not know: any model.
 *
 * Difficulty is the disagreement of four samples, the one estimate that means the same for every model; the three bins
 * are those of Liu et al. 2025 (pass@1 of 50% and more, 10 to 50%, less). The strategies are the findings of Snell et
 * al. 2024, fig. 3: best-of-N weighted where the model is often right, beam search (M = 4) where it rarely is; on the
 * hardest questions nothing helps much, and subtrees that do not compete are the least easily fooled. Without a
 * verifier everything is a majority vote.
 */
import { policyVersion, type Policy, type PolicyBin } from "./policy.js";

const budgets = [1, 4, 16, 64, 256] as const;

export function defaultPolicy(verified: boolean): Policy {
  const bins = [
    bin(0.5, "weighted-best-of-n", verified),
    bin(0.75, "beam", verified), // of four samples no two agree only above it
    bin(1, "dvts", verified),
  ];
  return {
    format: "thinktree-policy",
    version: policyVersion,
    models: null,
    calibration: { source: "the findings of Snell et al. 2024; nothing was measured on these models" },
    temperature: 0.8,
    stop: { agreement: 0.95, share: verified ? 0.95 : null },
    estimate: "agreement",
    probes: 4,
    bins: { agreement: bins },
    overall: bin(1, "weighted-best-of-n", verified),
    questionProbe: null,
  };
}

function bin(upTo: number, strategy: "weighted-best-of-n" | "beam" | "dvts", verified: boolean): PolicyBin {
  const unmeasured = { accuracy: null, low: null, high: null, tokens: null };
  const entries = budgets.map((budget) => ({
    ...{ budget, generations: budget, ...unmeasured },
    strategy: verified ? strategy : ("majority" as const),
    settings: verified && strategy !== "weighted-best-of-n" && budget >= 4 ? { beamWidth: 4 } : {},
  }));
  return { upTo, questions: 0, entries };
}

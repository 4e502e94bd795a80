/**
 * What a unit's value depends on besides the unit: the same here as on the node that does it, or it is not done there.
 *
 * Owns: which properties of a process those are. Must not know: queues.
 */
import { createHash } from "node:crypto";

import type { Grader } from "../grading/grader.js";
import type { Engine } from "../scheduler/engine.js";

export interface NodeIdentity {
  /** Of thinktree. */
  readonly version: string;
  /** Fingerprints. */
  readonly generator: string;
  readonly verifier: string | null;
  /** How they are asked and read: digests. */
  readonly generatorRecipe: string | null;
  readonly verifierRecipe: string | null;
  readonly policy: string;
  readonly grader: string;
}

export function identityOf(
  { fingerprints, models: { generator, verifier }, policy }: Pick<Engine, "fingerprints" | "models" | "policy">,
  grader: Pick<Grader, "name">,
  version: string,
): NodeIdentity {
  return {
    ...{ version, ...fingerprints },
    generatorRecipe: generator.recipe["recipe_digest"] ?? null,
    verifierRecipe: verifier ? digestOf(verifier.recipe) : null,
    policy: digestOf(policy),
    grader: grader.name,
  };
}

/** Names of what differs. What is not wanted does not matter. */
export function differences(wanted: Partial<NodeIdentity>, own: NodeIdentity): string[] {
  return Object.entries(wanted).flatMap(([name, value]) => (own[name as keyof NodeIdentity] === value ? [] : [name]));
}

export function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

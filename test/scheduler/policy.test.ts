import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import fc from "fast-check";

import { defaultPolicy } from "../../lib/scheduler/default-policy.js";
import {
  assertFits,
  binIndex,
  binsOf,
  checkPolicy,
  choose,
  expectedAccuracy,
  readPolicy,
  type PolicyBin,
  type PolicyEntry,
} from "../../lib/scheduler/policy.js";

const entry = (budget: number, generations: number, accuracy: number | null = null): PolicyEntry => ({
  ...{
    budget,
    generations,
    accuracy,
    strategy: "weighted-best-of-n",
    settings: {},
    low: null,
    high: null,
    tokens: null,
  },
});
const bin = (...entries: PolicyEntry[]): PolicyBin => ({ upTo: 1, questions: 10, entries });

describe("choose", () => {
  const some = bin(entry(1, 1), entry(4, 4), entry(16, 8), entry(64, 64));

  it("takes the largest budget within the given one", () => {
    expect(choose(some, 4).generations).toBe(4);
    expect(choose(some, 64).generations).toBe(64);
  });

  it("grows between budgets what used all of its own, and leaves what did not", () => {
    expect(choose(some, 10).generations).toBe(10);
    expect(choose(some, 40).generations).toBe(8);
  });

  it("does not grow beyond what was measured", () => {
    expect(choose(some, 1_000).generations).toBe(64);
  });

  it("never exceeds the budget", () => {
    const bins = fc
      .uniqueArray(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 })
      .chain((budgets) =>
        fc.tuple(
          ...budgets
            .sort((a, b) => a - b)
            .map((budget) => fc.integer({ min: 1, max: budget }).map((n) => entry(budget, n))),
        ),
      );
    fc.assert(
      fc.property(bins, fc.integer({ min: 1, max: 400 }), (entries, budget) => {
        const { generations } = choose(bin(...entries), budget);
        expect(generations).toBeGreaterThan(0);
        expect(generations).toBeLessThanOrEqual(budget);
      }),
    );
  });
});

describe("expectedAccuracy", () => {
  it("interpolates over the logarithm of the budget and is flat outside", () => {
    const some = bin(entry(1, 1, 0.2), entry(16, 16, 0.6));
    expect(expectedAccuracy(some, 4)).toBeCloseTo(0.4, 12);
    expect(expectedAccuracy(some, 16)).toBe(0.6);
    expect(expectedAccuracy(some, 99)).toBe(0.6);
  });

  it("is unknown where nothing was measured", () => {
    expect(expectedAccuracy(bin(entry(1, 1)), 4)).toBeNull();
  });
});

describe("bins", () => {
  it("are found by their upper edges, the last taking the rest", () => {
    const bins = [0.2, 0.6, 1].map((upTo) => ({ ...bin(entry(1, 1)), upTo }));
    expect([0, 0.19, 0.2, 0.59, 0.6, 1].map((difficulty) => binIndex(bins, difficulty))).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it("of an unknown estimate are an error that names those there are", () => {
    expect(() => binsOf(defaultPolicy(true), "question")).toThrow(/no bins by question, only by agreement/);
  });
});

describe("the default policy", () => {
  it.each([true, false])("is a policy (verifier: %s)", (verified) => {
    const policy = defaultPolicy(verified);
    expect(checkPolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
    const used = Object.values(policy.bins).flatMap((bins) => bins.flatMap(({ entries }) => entries));
    if (!verified) expect(new Set(used.map(({ strategy }) => strategy))).toEqual(new Set(["majority"]));
  });
});

describe("a policy's file", () => {
  let folder = "";
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "policy-"))));
  afterAll(() => rm(folder, { recursive: true }));
  const stored = async (content: string) => {
    const path = join(folder, "policy.json");
    await writeFile(path, content);
    return readPolicy(path);
  };

  it("is read back as it was written", async () => {
    const policy = defaultPolicy(true);
    await expect(stored(JSON.stringify(policy))).resolves.toEqual(policy);
  });

  it("that is missing, broken or of another version is one clear error", async () => {
    await expect(readPolicy(join(folder, "none.json"))).rejects.toThrow(/cannot be read.*thinktree calibrate/s);
    await expect(stored("{")).rejects.toThrow(/is not JSON/);
    await expect(stored(JSON.stringify({ ...defaultPolicy(true), version: 9 }))).rejects.toThrow(/version/);
    await expect(stored(JSON.stringify({ ...defaultPolicy(true), estimate: "score" }))).rejects.toThrow(/no bins/);
  });

  it("for other models is refused unless forced", () => {
    const fitted = { ...defaultPolicy(true), models: { generator: "a", verifier: "b" } };
    expect(() => assertFits(fitted, { generator: "a", verifier: "b" }, false)).not.toThrow();
    expect(() => assertFits(fitted, { generator: "x", verifier: "b" }, false)).toThrow(/another generator.*calibrate/);
    expect(() => assertFits(fitted, { generator: "a", verifier: null }, false)).toThrow(/another verifier/);
    expect(() => assertFits(fitted, { generator: "x", verifier: "y" }, true)).not.toThrow();
    expect(() => assertFits(defaultPolicy(true), { generator: "x", verifier: "y" }, false)).not.toThrow();
  });
});

/** The grader of mathematics as it is built: its worker is a file of dist/. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { afterEach, describe, expect, it } from "vitest";
import type { GraderPool as Pool } from "../../lib/grading/grader-pool.js";
import type { mathGrader as Make } from "../../lib/grading/math-grader.js";
import { fuzzedPairs } from "../../bench/grading/fuzz.js";

const built = (name: string) => import(new URL(`../../dist/grading/${name}.js`, import.meta.url).href);
const { mathGrader } = (await built("math-grader")) as { mathGrader: typeof Make };
const { GraderPool } = (await built("grader-pool")) as { GraderPool: typeof Pool };

/** What a bundle of CommonJS packages needs in a module. */
const require_ = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

/** Exact arithmetic on it takes many seconds; the grader above the pool does not let it through. */
const endless = `${"7".repeat(30_000_000)}/3`;

let open: { close(): Promise<void> } | undefined;
afterEach(() => open?.close());
const opened = <T extends { close(): Promise<void> }>(one: T): T => (open = one);

describe("mathGrader", () => {
  it("grades, many answers at once", async () => {
    const grader = opened(mathGrader());
    const verdicts = await Promise.all(
      Array.from({ length: 500 }, (_, i) => grader.grade(`${i}.0 pens`, i % 2 === 0 ? String(i) : "1000")),
    );
    expect(verdicts).toEqual(verdicts.map((_, i) => i % 2 === 0));
  });

  it("says so where a bundler has left its worker behind", async () => {
    const folder = mkdtempSync(join(tmpdir(), "thinktree-bundle-"));
    try {
      const outfile = join(folder, "bundle.mjs");
      const entry = fileURLToPath(new URL("../../dist/grading/math-grader.js", import.meta.url));
      await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", banner: { js: require_ } });
      const bundled = (await import(outfile)) as { mathGrader: typeof Make };
      const verdict = opened(bundled.mathGrader()).grade("2/4", "1/2");
      await expect(verdict).rejects.toThrow(/worker is not at file:.*leave thinktree out of the bundle/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("has two modes, and refuses another", async () => {
    const [strict, paper] = [mathGrader(), mathGrader({ mode: "prm800k" })];
    expect([await strict.grade("2/4", "1/2"), await paper.grade("2/4", "1/2")]).toEqual([true, false]);
    expect([strict.name, paper.name]).toEqual(["math", "prm800k"]);
    await Promise.all([strict.close(), paper.close()]);
    expect(() => mathGrader({ mode: "lenient" as "symbolic" })).toThrow(/mode/);
  });

  it.each(["symbolic", "prm800k"] as const)("in mode %s gives every one of 10,000 fuzzed answers a verdict", async (mode) => {
    const grader = opened(mathGrader({ mode }));
    const pairs = fuzzedPairs(10_000, 1);
    const verdicts = await Promise.all(pairs.map(([answer, reference]) => grader.grade(answer, reference)));
    expect(verdicts.filter((one) => typeof one === "boolean")).toHaveLength(10_000);
    expect(verdicts.filter(Boolean).length).toBeGreaterThan(100); // some are the reference in other words
  });

  it("is done with hostile answers at once", async () => {
    const grader = opened(mathGrader());
    const hostile = ["9^{9^{9^9}}", "1000000!", "(".repeat(990), `${"x^".repeat(490)}x`, "\\frac{1}{".repeat(100), "9".repeat(1e7)];
    expect(await Promise.all(hostile.map((answer) => grader.grade(answer, "x+1")))).toEqual(hostile.map(() => false));
    expect(await grader.grade("9".repeat(1e7), "9".repeat(1e7))).toBe(true);
  });
});

describe("GraderPool", () => {
  it("takes an answer that needs too long for wrong in bounded time, and grades those beside and after it", async () => {
    const pool = opened(new GraderPool("symbolic", 300));
    await pool.grade("2.0", "2"); // threads are up
    const begun = performance.now();
    const answers = ["1.0", endless, "1.0", endless, "1.0", "2"];
    const verdicts = await Promise.all(answers.map((answer) => pool.grade(answer, "1")));
    expect(verdicts).toEqual([true, false, true, false, true, false]);
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(await pool.grade("3.0", "3")).toBe(true);
  });

  it("lets go of the process when closed, also before it was used", async () => {
    const pool = new GraderPool("symbolic", 300);
    await pool.close();
    await pool.close();
  });
});

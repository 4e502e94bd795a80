/** The grader's pool as it is built: its worker is a file of dist/. */
import { afterEach, describe, expect, it } from "vitest";
import type { GraderPool as Pool } from "../../lib/evaluation/grader-pool.js";

const built = new URL("../../dist/evaluation/grader-pool.js", import.meta.url).href;
const { GraderPool } = (await import(built)) as { GraderPool: typeof Pool };

/** Exact arithmetic on it takes many seconds. */
const hostile = `${"7".repeat(30_000_000)}/3`;

let pool: Pool;
afterEach(() => pool.close());

describe("GraderPool", () => {
  it("grades, many answers at once", async () => {
    pool = new GraderPool();
    const verdicts = await Promise.all(
      Array.from({ length: 500 }, (_, i) => pool.grade(`${i}.0 pens`, i % 2 === 0 ? String(i) : "1000")),
    );
    expect(verdicts).toEqual(verdicts.map((_, i) => i % 2 === 0));
  });

  it("starts no thread for what needs no thought", async () => {
    pool = new GraderPool();
    expect(await pool.grade(null, "1")).toBe(false);
    expect(await pool.grade("1", "1")).toBe(true);
    expect(pool).not.toHaveProperty("pool.threads");
  });

  it("takes a hostile answer for wrong in bounded time, and grades those beside and after it", async () => {
    pool = new GraderPool(300);
    await pool.grade("2.0", "2"); // threads are up
    const begun = performance.now();
    const answers = ["1.0", hostile, "1.0", hostile, "1.0", "2"];
    const verdicts = await Promise.all(answers.map((answer) => pool.grade(answer, "1")));
    expect(verdicts).toEqual([true, false, true, false, true, false]);
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(await pool.grade("3.0", "3")).toBe(true);
  });

  it("lets go of the process when closed, also before it was used", async () => {
    pool = new GraderPool();
    await pool.close();
    await pool.close();
  });
});

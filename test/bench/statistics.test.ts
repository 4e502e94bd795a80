/** The statistics behind the tables, against values known otherwise. */
import { describe, expect, it } from "vitest";

import { chanceRight } from "../../bench/accuracy/samples.js";
import { bootstrapInterval, median, quantile, seededRandom, shuffled } from "../../bench/support/statistics.js";
import { format, number, spread } from "../../bench/support/table.js";

describe("statistics", () => {
  it("takes quantiles as numpy does", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(median([])).toBeNaN();
  });

  it("covers the truth in about 95% of intervals", () => {
    const random = seededRandom(5);
    const covered = Array.from({ length: 300 }, () => {
      const sample = Array.from({ length: 100 }, () => (random() < 0.3 ? 1 : 0));
      const { low, high } = bootstrapInterval(sample, random, 300);
      return low <= 0.3 && 0.3 <= high;
    }).filter(Boolean).length;
    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.99);
  });

  it("shuffles without loss, the same way for the same seed", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8];
    const once = shuffled(values, seededRandom(1));
    expect(once).toEqual(shuffled(values, seededRandom(1)));
    expect([...once].sort()).toEqual(values);
    expect(once).not.toEqual(values);
  });
});

describe("chanceRight", () => {
  const sample = (answer: string, score: number) => ({
    ...{ answer, score, text: "", steps: [], finished: true, finishReason: "end" as const, weight: 0 },
  });
  const samples = [sample("1", 0.9), sample("2", 0.5), sample("2", 0.5), sample("3", 0.1)];

  it("is the share of right samples at one", () => {
    expect(chanceRight("majority", samples, 1, "2")).toBe(0.5);
    expect(chanceRight("best-of-n", samples, 1, "1")).toBe(0.25);
  });

  it("is the choice among all at the sample's size", () => {
    expect(chanceRight("majority", samples, 4, "2")).toBe(1);
    expect(chanceRight("best-of-n", samples, 4, "1")).toBe(1);
    expect(chanceRight("weighted-best-of-n", samples, 4, "2")).toBe(1);
  });
});

describe("tables", () => {
  it("align, and show three digits that count", () => {
    expect([0, 0.01234, 1.234, 123.4, 12_345, NaN].map(number)).toEqual([
      "0.00",
      "0.0123",
      "1.23",
      "123",
      "12345",
      "-",
    ]);
    expect(spread([1, 2, 4])).toBe("2.00 (1.00-4.00)");
    expect(format({ title: "T", columns: ["", "n"], rows: [["a row", "1"]] })).toBe(
      "\nT\n\n|       |   n |\n| ----- | --: |\n| a row |   1 |",
    );
  });
});

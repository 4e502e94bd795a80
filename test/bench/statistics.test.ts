/** What the tables show, against values known otherwise. */
import { describe, expect, it } from "vitest";

import { sampledResult } from "../../bench/accuracy/results.js";
import { median } from "../../bench/support/statistics.js";
import { format, number, spread } from "../../bench/support/table.js";
import { failedRecord } from "../../lib/evaluation/records.js";
import { unshared } from "../../lib/evaluation/sharing.js";

describe("median", () => {
  it("is the middle, or between the two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe("sampledResult", () => {
  const sample = (answer: string | null, score: number | null) => ({ answer, score, right: answer === "2" });
  const samples = [sample("1", 0.9), sample("2", 0.5), sample("2", 0.5), sample(null, null)];
  const none = failedRecord({ id: "q", question: "?", answer: "2" });
  const ledger = { ...none.ledger, generatedTokens: 80, verifierTokens: 40 };
  const sharing = unshared([20, 20, 20, 20]);
  const run = { records: [{ ...none, generations: 4, samples, sharing, ledger }], milliseconds: 8 };

  it("counts solutions that were cut short as drawn and paid for", () => {
    const share = { generatedTokens: 20, milliseconds: 2, right: [0.5] };
    expect(sampledResult("majority", 1, run)).toMatchObject({ ...share, verifierTokens: 0 });
    expect(sampledResult("best-of-n", 1, run)).toMatchObject({ ...share, verifierTokens: 10 });
  });

  it("is the choice among all at the sample's size", () => {
    const [majority, best] = (["majority", "best-of-n"] as const).map((choice) => sampledResult(choice, 4, run).right);
    expect([majority, best]).toEqual([[1], [0]]);
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

import { expect, it } from "vitest";
import { compact, percent, ratio } from "../../lib/report/numbers.js";

it("writes numbers as a reader expects them", () => {
  expect([0, 0.5432, 1].map(percent)).toEqual(["0.0", "54.3", "100.0"]);
  expect([0.25, 1, 64, 999, 1000, 1234567, 2.5e12].map(compact)).toEqual(
    "0.25 1 64 999 1 k 1.23 M 2.5 T".match(/[\d.]+( [kMT])?/g),
  );
  expect([1 / 64, 0.25, 1, 16].map(ratio)).toEqual(["1:64", "1:4", "1:1", "16:1"]);
});

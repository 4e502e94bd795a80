/** Which answers are right. The pool around it is tested in test/build, on what is built. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRight } from "../../lib/evaluation/grade.js";

describe("isRight", () => {
  it.each([
    ["42", "42"],
    ["42.0", "42"],
    ["$1,234.50", "1234.5"],
    ["24 pens", "24"],
    ["1000 dollars", "$1,000"],
    ["\\$32,\\!348", "32348"],
    ["10{,}080", "10080"],
    ["864 \\mbox{ inches}", "864"],
    ["5\\text{ cm}", "5"],
    ["28%", "28"],
    ["28\\%", "28 percent"],
    ["1/2", "0.5"],
    ["\\frac{1}{2}", "2/4"],
    ["-\\dfrac{3}{6}", "-0.5"],
    ["\\frac{-1}{2}", "-\\frac{1}{2}"],
    ["\\frac{1}{-2}", "-1/2"],
    ["0.333333", "1/3"],
    ["0.30000000000000004", "0.3"],
    ["p - q", "p - q"],
    ["$p  - q$", "p - q"],
  ])("%s is %s", (answer, reference) => {
    expect(isRight(answer, reference)).toBe(true);
    expect(isRight(reference, answer)).toBe(true);
  });

  it.each([
    ["43", "42"],
    ["", "0"],
    ["42 or 43", "42"],
    ["4 dozen", "4"],
    ["3 million", "3"],
    ["3x", "3"],
    ["3 x", "3"],
    ["5 squared", "5"],
    ["0.33", "1/3"],
    ["0.28", "28%"],
    ["1/0", "0"],
    ["1/0", "2/0 "],
    ["100000001", "100000000"],
    ["123456789.5", "123456789.6"],
    ["0.0000001", "0.0000002"],
    ["0.0000001", "0"],
    ["9007199254740993", "9007199254740992"],
    ["(1,234)", "1234"],
    ["1.2.3", "1.23"],
    ["p-q", "q-p"],
  ])("%s is not %s", (answer, reference) => {
    expect(isRight(answer, reference)).toBe(false);
    expect(isRight(reference, answer)).toBe(false);
  });

  it("goes by value: fractions, and decimals that end", () => {
    const part = fc.integer({ min: -10_000, max: 10_000 });
    const whole = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(part, whole, part, whole, fc.integer({ min: 1, max: 9 }), (a, b, c, d, by) => {
        expect(isRight(`${a}/${b}`, `\\frac{${c}}{${d}}`)).toBe(a * d === c * b);
        expect(isRight(`${a * by}/${b * by}`, `${a}/${b}`)).toBe(true);
        expect(isRight((a / 8).toString(), `${a}/8`)).toBe(true);
      }),
    );
  });

  it("never fails, whatever a model writes", () => {
    const unit = fc.constantFrom(..."0129.,-+/%$ \\{}abfrctex()");
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (answer, reference) => {
        expect(isRight(answer, reference)).toBe(isRight(reference, answer));
        expect(isRight(answer, answer)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The paper's rules, and where they part from the stricter ones. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { meansByPaper } from "../../lib/grading/prm800k.js";
import { meanOthers, meanTheSame } from "./both-modes.js";

describe("meansByPaper", () => {
  it.each([
    ...meanTheSame,
    ["\\frac1{72}", "\\dfrac{1}{72}"],
    ["0.5", "\\frac{1}{2}"],
    ["1/2", "\\frac{1}{2}"],
    ["\\sqrt3", "\\sqrt{3}"],
    ["12 inches", "12"],
    ["28\\%", "28"],
    ["2\\frac34", "11/4"],
    ["3 \\text{ feet}", "3"],
    ["5.0", "5"],
    ["2 million", "2*10^6"],
    ["(3, \\pi/2)", "(3,\\frac{\\pi}{2})"],
    ["[-2, 7]", "[-2,7]"],
    ["3 or 5", "3, 5"],
    ["(x+1)^2", "x^2+2x+1"],
    ["12π", "12\\pi"],
  ])("%s is %s", (answer, reference) => {
    expect(meansByPaper(answer, reference)).toBe(true);
  });

  it.each([
    ...meanOthers,
    // Not what they mean, but how PRM800K has it:
    ["2/4", "\\frac{1}{2}"],
    ["\\frac{2}{4}", "\\frac{1}{2}"],
    ["10/2", "5"],
    ["2, 1", "1, 2"],
    ["x+y+z", "z+y+x"],
    ["x^{12}", "x^6 x^6"],
    ["0.333333", "\\frac{1}{3}"],
  ])("%s is not %s", (answer, reference) => {
    expect(meansByPaper(answer, reference)).toBe(false);
  });

  it("never fails, whatever a model writes", () => {
    const unit = fc.constantFrom(
      ..."0129.,-+/%$ \\{}abfrctex()=<_^|[]",
      "\\frac",
      "\\sqrt",
      "\\text{",
      "million",
      "inches",
    );
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (answer, reference) => {
        expect(meansByPaper(answer, reference)).toBeTypeOf("boolean");
        expect(meansByPaper(answer, answer)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

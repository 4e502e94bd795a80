/** Which answers mean the same. The threads around it are tested in test/build, on what is built. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { means } from "../../lib/grading/symbolic.js";
import { meanOthers, meanTheSame } from "./both-modes.js";

describe("means", () => {
  it.each([
    ...meanTheSame,
    // Plain numbers.
    ["42", "42"],
    ["42.0", "42"],
    ["$1,234.50", "1234.5"],
    ["24 pens", "24"],
    ["1000 dollars", "$1,000"],
    ["12th", "12"],
    ["1/2", "0.5"],
    ["\\frac{1}{2}", "2/4"],
    ["-\\dfrac{3}{6}", "-0.5"],
    ["\\frac{-1}{2}", "-\\frac{1}{2}"],
    ["\\frac{1}{-2}", "-1/2"],
    ["0.333333", "1/3"],
    ["0.30000000000000004", "0.3"],
    ["0.\\overline{36}", "\\frac{4}{11}"],
    ["2^{200}", "4^{100}"],
    // What MATH's answers look like.
    ["\\sqrt[3]{-8}", "-2"],
    ["10{,}080", "10,\\!080"],
    ["11,\\! 111,\\! 111,\\! 100", "11111111100"],
    ["5\\text{ cm}", "5"],
    ["15\\mbox{ cm}^2", "15 square cm"],
    ["\\frac{270}7\\text{ degrees}", "\\frac{270}{7}"],
    ["90^{\\circ}", "90°"],
    ["28\\%", "28 percent"],
    ["28%", "28"],
    ["2\\frac34", "\\frac{11}{4}"],
    ["-2\\frac34", "-2.75"],
    ["137 \\frac{1}{2}", "137.5"],
    ["\\text{east}", "East"],
    ["\\text{(C)}", "C"],
    ["(3, π/2)", "(3,\\frac{\\pi}{2})"],
    ["x\\in[-2,7]", "[-2, 7]"],
    ["-2 \\le x \\le 7", "x\\in[-2,7]"],
    ["x > 3", "(3, \\infty)"],
    ["(0,9)\\cup(9,36)", "(9,36) \\cup (0,9)"],
    ["-2,1", "1, -2"],
    ["x = 1 \\text{ or } x = -2", "-2,1"],
    ["3 and 5", "5, 3"],
    ["\\{1\\pm\\sqrt5,-2\\}", "-2, 1-\\sqrt{5}, 1+\\sqrt{5}"],
    ["1 \\pm \\sqrt{19}", "1+\\sqrt{19}, 1-\\sqrt{19}"],
    ["204_5", "204_{5}"],
    ["204", "204_5"],
    ["\\text{Area} = 5", "5"],
    ["f(x) = x^2", "x^2"],
    ["\\angle ABC = 120^\\circ", "120^\\circ"],
    ["\\tan A = 2", "2"],
    ["2 + 3 = 5", "5"],
    ["(x,y) = (1,2)", "(1,2)"],
    ["y = 2x + 3", "2x - y = -3"],
    ["5x - 7y + 11z + 4 = 0", "-10x + 14y - 22z = 8"],
    ["2 > x", "x < 2"],
    ["\\begin{pmatrix} 1 \\\\ -\\frac{2}{3} \\end{pmatrix}", "\\begin{bmatrix} 1 \\\\ -2/3 \\end{bmatrix}"],
    ["\\sec^2y", "\\tan^2 y + 1"],
    ["\\cot x", "\\frac{\\cos x}{\\sin x}"],
    ["\\sin^{-1} x", "\\arcsin x"],
    ["(a+5)(b+2)", "ab+2a+5b+10"],
    ["\\frac{x^2-1}{x-1}", "x+1"],
    ["11√2", "11\\sqrt2"],
    ["sqrt(2)*11", "11\\sqrt{2}"],
    ["6+9i", "9i+6"],
    ["e^{i\\pi}", "-1"],
    ["\\binom{5}{2}", "10"],
    ["5!", "120"],
    ["|{-3}|", "3"],
    ["\\log_2 8", "3"],
    ["\\lfloor 2.7 \\rfloor", "2"],
    ["\\boxed{5}", "5"],
    ["\\mathbf{x}+1", "x+1"],
    ["p - q", "p - q"],
    ["$p  - q$", "p - q"],
  ])("%s is %s", (answer, reference) => {
    expect(means(answer, reference)).toBe(true);
  });

  it.each([
    ...meanOthers,
    ["(1,234)", "(1234)"],
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
    ["2^{100}+1", "2^{100}"],
    ["9^{9^9}", "9^{9^9}+1"],
    ["1.2.3", "1.23"],
    ["p-q", "q-p"],
    ["east", "seat"],
    ["x^{1000}", "x^{999}"],
    ["|x|", "x"],
    ["\\sqrt{x^2}", "x"],
    ["x", "X"],
    ["1,2", "1,2,3"],
    ["1,1,2", "1,2,2"],
    ["1 \\pm \\sqrt{19}", "1 + \\sqrt{19}"],
    ["204_5", "204_6"],
    ["204_5", "54"],
    ["204_5", "204"],
    ["y = 2x", "y = 3x"],
    ["x < 2", "x > 2"],
    ["x < 2", "x \\le 2"],
    ["-x < 2", "x < 2"],
    ["x = 2", "x < 2"],
    ["x^2 = 4", "4"],
    ["\\pi r = 2", "2"],
    ["-\\infty+\\infty", "0"],
    ["\\infty", "-\\infty"],
    ["\\begin{pmatrix} 1 & 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"],
    ["(0,9)\\cup(9,36)", "(0,36)"],
    ["\\ln x", "\\log_2 x"],
    ["12\\pi", "37.7"],
  ])("%s is not %s", (answer, reference) => {
    expect(means(answer, reference)).toBe(false);
  });

  it("goes by value: fractions, and decimals that end", () => {
    const part = fc.integer({ min: -10_000, max: 10_000 });
    const whole = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(part, whole, part, whole, fc.integer({ min: 1, max: 9 }), (a, b, c, d, by) => {
        expect(means(`${a}/${b}`, `\\frac{${c}}{${d}}`)).toBe(a * d === c * b);
        expect(means(`${a * by}/${b * by}`, `${a}/${b}`)).toBe(true);
        expect(means((a / 8).toString(), `${a}/8`)).toBe(true);
      }),
    );
  });

  it("tells polynomials apart, and knows one expanded", () => {
    const root = fc.integer({ min: -20, max: 20 });
    fc.assert(
      fc.property(root, root, root, (a, b, c) => {
        const factored = `(x-(${a}))(x-(${b}))`;
        expect(means(`x^2+(${-a - b})x+(${a * b})`, factored)).toBe(true);
        expect(means(`x^2+(${-a - b})x+(${c})`, factored)).toBe(a * b === c);
      }),
    );
  });

  it("never fails, whatever a model writes", () => {
    const unit = fc.constantFrom(
      ..."0129.,-+/%$ \\{}abfrctex()=<_^|[]!&°",
      "\\frac",
      "\\sqrt",
      "\\pm",
      "\\text{",
      "\\cup",
    );
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (answer, reference) => {
        expect(means(answer, reference)).toBeTypeOf("boolean");
        expect(means(answer, answer)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

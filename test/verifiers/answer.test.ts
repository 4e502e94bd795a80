import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerExtractor, normalizeAnswer } from "../../lib/verifiers/answer.js";

describe("answerExtractor", () => {
  const embedded = answerExtractor({ answerPrefix: "A:" });
  const general = answerExtractor();

  it.each([
    ["17+26=43\nA: 13\n", "13"],
    ["A: 12\nno, wait\nA: 13", "13"],
    ["  A:13", "13"],
    ["A: 1,300.0 \n", "1300"],
    ["17+26=43\n", null],
    ["A:", null],
    ["A: \n", null],
    ["TA: 13\n", null],
    ["", null],
    ["so \\boxed{7}\nA: 13\nthe answer is 8.", "13"],
    ["so \\boxed{7}\n", "7"],
  ])("with a prefix: %j gives %j", (text, answer) => {
    expect(embedded(text)).toBe(answer);
  });

  it.each([
    ["Thus \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"],
    ["\\boxed{1} and then \\boxed{2}", "2"],
    ["\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"],
    ["\\boxed{\\}}", "\\}"],
    ["\\boxed{1} cut off: \\boxed{2", null],
    ["\\boxed{}", null],
    ["so \\boxed{\\boxed{5}}", "5"],
    ["\\boxed{\\text{(C)}}", "\\text{(C)}"],
    ["\\fbox{3}", "3"],
    ["so $\\boxed 5$.", "5"],
    ["\\boxed {7}", "7"],
    ["\\boxed\\frac12", null],
    ["The answer is 3.5.", "3.5"],
    ["the final answer is: **42**. I hope it is correct.", "42"],
    ["The answer is 1. No: the answer is 2.", "2"],
    ["The answer is:\n13", "13"],
    ["The answer is", null],
    ["The answer isn't clear", null],
    ["2+2=4\n#### 1,234\n", "1234"],
    ["#### 4\nThe answer is 5", "4"],
    ["A: 13", null],
    ["2x = 30\n\nTherefore, the polygon has 15 sides.", "15"],
    ["Thus the median is $\\frac{81}{2}$.", "\\frac{81}{2}"],
    ["We add. So \\(x\\) is \\(x + 1\\).", "x + 1"],
    ["Hence it costs $1,234.50.", "1234.5"],
    ["Therefore, x = 5.\nBut is that all?", null],
    ["Therefore, the share is 1 / 8.", "1 / 8"],
    ["Therefore, nothing can be said.", null],
    ["x = 5 and y = 7", null],
  ])("without: %j gives %j", (text, answer) => {
    expect(general(text)).toBe(answer);
  });

  it("takes any text without throwing, and gives no empty answer", () => {
    const pieces = fc.constantFrom(
      "A:",
      "\\boxed{",
      "{",
      "}",
      "\\",
      "the answer is ",
      "####",
      "\n",
      " ",
      "13",
      ".",
      "$",
      "x",
    );
    fc.assert(
      fc.property(
        fc.array(pieces).map((all) => all.join("")),
        (text) => {
          for (const answerOf of [embedded, general]) expect(answerOf(text)).not.toBe("");
        },
      ),
    );
  });

  it("is linear in the text's length", () => {
    const started = performance.now();
    for (const piece of ["the answer is ", "the answer is:\n", "\\boxed{", "{", " ", "\n", "####", "*", "$", "A: "]) {
      general(piece.repeat(50_000));
      embedded(piece.repeat(50_000));
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("normalizeAnswer", () => {
  it.each([
    ["1,000", "1000"],
    ["1,234,567.50", "1234567.5"],
    ["13.", "13"],
    ["13.0", "13"],
    ["**13**.", "13"],
    ["\\(13\\)", "13"],
    ["+5", "5"],
    ["-5.0", "-5"],
    ["-0", "0"],
    [".5", "0.5"],
    ["007", "7"],
    ["12345678901234567890.0", "12345678901234567890"],
    ["1,00", "1,00"],
    ["1.2.3", "1.2.3"],
    ["50%", "50%"],
    ["13 apples", "13 apples"],
    ["  two   words ", "two words"],
    [".", ""],
    ["-", "-"],
  ])("%j is %j", (text, normal) => {
    expect(normalizeAnswer(text)).toBe(normal);
  });

  it("drops the dollars of a price and of a formula", () => {
    for (const price of ["$13", "\\$13.00", "$13$", "$13.$"]) expect(normalizeAnswer(price)).toBe("13");
    expect(normalizeAnswer("$x$ and $y$")).toBe("$x$ and $y$");
  });

  it("gives equal numbers one form, and different numbers different ones", () => {
    const number = fc.integer({ min: -1e9, max: 1e9 });
    const spelling = fc.constantFrom(
      String,
      (n: number) => n.toLocaleString("en-US"),
      (n: number) => `${n}.00`,
      (n: number) => ` ${n}. `,
    );
    fc.assert(
      fc.property(number, number, spelling, spelling, (a, b, spellA, spellB) => {
        expect(normalizeAnswer(spellA(a)) === normalizeAnswer(spellB(b))).toBe(a === b);
        expect(normalizeAnswer(spellA(a))).toBe(normalizeAnswer(spellB(a)));
      }),
    );
  });

  it("changes nothing the second time", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(normalizeAnswer(normalizeAnswer(text))).toBe(normalizeAnswer(text));
      }),
    );
  });
});

describe("after thoughts", () => {
  const thinking = { begin: "<think>", end: "</think>" };
  const answerOf = answerExtractor({ thinking: { ...thinking, begun: false } });
  const begun = answerExtractor({ thinking: { ...thinking, begun: true } });

  it("is read where the thought has ended", () => {
    expect(answerOf("<think>Perhaps \\boxed{3}?</think>So \\boxed{4}.")).toBe("4");
    expect(begun("Perhaps \\boxed{3}?</think>So \\boxed{4}.")).toBe("4");
    expect(answerOf("\\boxed{5}")).toBe("5");
  });

  it("is none before", () => {
    expect(answerOf("<think>Perhaps \\boxed{3}?")).toBeNull();
    expect(begun("Perhaps \\boxed{3}?")).toBeNull();
    expect(begun("Hm.</think>Well.<think>Or \\boxed{3}?")).toBeNull();
  });
});

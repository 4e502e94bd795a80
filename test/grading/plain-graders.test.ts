/** Graders without threads, and graders of one's own. */
import { describe, expect, it } from "vitest";
import { customGrader } from "../../lib/grading/grader.js";
import { exactText, multipleChoice, numeric } from "../../lib/grading/plain-graders.js";

const invalid = expect.objectContaining({ code: "INVALID_OPTION" }) as Error;

describe("numeric", () => {
  it.each([
    ["101", "100", { tolerance: 0.01 }, true],
    ["101.1", "100", { tolerance: 0.01 }, false],
    ["-101", "-100", { tolerance: 0.01 }, true],
    ["-100", "100", { tolerance: 0.01 }, false],
    ["0.4", "0", { absoluteTolerance: 0.5 }, true],
    ["0.6", "0", { absoluteTolerance: 0.5 }, false],
    ["37.7 cm", "12\\pi", { tolerance: 0.001 }, true],
    ["\\frac{3}{8}", "0.375", {}, true],
    ["0.3751", "0.375", {}, false],
    ["many", "0.375", { tolerance: 10 }, false],
    ["3i", "3", { tolerance: 10 }, false],
    ["1, 2", "1", { tolerance: 10 }, false],
    [`1${"0".repeat(100_000)}`, "1", { tolerance: 1e300 }, false],
  ] as const)("%s for %s within %j: %s", async (answer, reference, options, right) => {
    expect(await numeric(options).grade(answer, reference)).toBe(right);
  });

  it("refuses tolerances and references that are no numbers", () => {
    expect(() => numeric({ tolerance: -1 })).toThrow(invalid);
    expect(() => numeric({ absoluteTolerance: NaN })).toThrow(invalid);
    expect(() => numeric().check!("blue")).toThrow(invalid);
    numeric().check!("1/3");
  });

  it("says its tolerances in its name, since its verdicts depend on them", () => {
    expect(numeric({ tolerance: 0.1 }).name).not.toBe(numeric({ tolerance: 0.2 }).name);
  });
});

describe("multipleChoice", () => {
  const grader = multipleChoice();

  it.each([
    ["C", "C"],
    ["(c)", "C"],
    ["\\text{(C)}", "C"],
    ["**C**", "(C)"],
    ["C. because it is", "C"],
    ["C) blue", "C"],
    ["option C", "C"],
  ])("%s is %s", async (answer, reference) => {
    expect(await grader.grade(answer, reference)).toBe(true);
  });

  it.each([
    ["B", "C"],
    ["A dog", "A"],
    ["CD", "C"],
    ["42", "C"],
    ["", "C"],
  ])("%s is not %s", async (answer, reference) => {
    expect(await grader.grade(answer, reference)).toBe(false);
  });

  it.each([
    ["(A) is too small, (B) too large.\nThe answer is (C).", "C"],
    ["Answer: B", "B"],
    ["First I thought the answer: A. But no. Answer: **D**\nbecause", "D"],
    ["so \\boxed{C}", "C"],
    ["It must be (B), not (A)?\nNo: (B)", "B"],
    ["Let us see.\nB", "B"],
    ["I do not know", null],
    ["", null],
  ])("reads %j as %s", (text, letter) => {
    expect(grader.answerOf!(text)).toBe(letter);
  });

  it("refuses a reference that is no letter", () => {
    expect(() => grader.check!("42")).toThrow(invalid);
  });
});

describe("exactText", () => {
  it("goes by letters, but for blanks and ways to write a number", async () => {
    const grader = exactText();
    expect(await grader.grade(" New  York. ", "New York")).toBe(true);
    expect(await grader.grade("1,000", "1000")).toBe(true);
    expect(await grader.grade("new york", "New York")).toBe(false);
    expect(await grader.grade("1/2", "0.5")).toBe(false);
  });
});

describe("customGrader", () => {
  it("asks the function, unless there is no answer", async () => {
    const asked: string[][] = [];
    await using grader = customGrader("longer", (answer, reference) => {
      asked.push([answer, reference]);
      return answer.length > reference.length;
    });
    expect(grader.name).toBe("longer");
    expect(await grader.grade("ab", "a")).toBe(true);
    expect(await grader.grade("a", "ab")).toBe(false);
    expect(await grader.grade(null, "a")).toBe(false);
    expect(asked).toHaveLength(2);
  });

  it("rejects as the function does, and closes what it was given", async () => {
    let closed = 0;
    const judge = async () => Promise.reject(new Error("no"));
    const close = async () => void closed++;
    {
      await using grader = customGrader("broken", judge, { close });
      await expect(grader.grade("a", "b")).rejects.toThrow("no");
    }
    expect(closed).toBe(1);
  });
});

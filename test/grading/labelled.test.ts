/**
 * Answers of real models with published labels.
 *
 * labelled.json is a sample of those (its source and licences stand in it) on which the labels are right; the whole of them,
 * with what the labels get wrong, is lent beside the repository.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { labelledFiles } from "../../bench/grading/labelled.js";
import { meansByPaper } from "../../lib/grading/prm800k.js";
import { means } from "../../lib/grading/symbolic.js";
import { answerExtractor } from "../../lib/verifiers/answer.js";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const { pairs } = JSON.parse(readFileSync(path("./labelled.json"), "utf8")) as { pairs: [string, string, boolean][] };

describe("labelled answers", () => {
  it("mean what their labels say", () => {
    const apart = pairs.filter(([answer, reference, right]) => means(answer, reference) !== right);
    expect(apart).toEqual([]);
  });

  it("are never right by the paper's rules where they are wrong, and right most often where they are right", () => {
    const found = pairs.filter(([answer, reference]) => meansByPaper(answer, reference));
    expect(found.filter(([, , right]) => !right)).toEqual([]);
    expect(found.length / pairs.filter(([, , right]) => right).length).toBeGreaterThan(0.75);
  });
});

const folder = path("../../../shared/data/recorded");

describe.skipIf(!existsSync(folder))("all recorded solutions (needs ../shared/data/recorded)", () => {
  it("are graded as labelled, 99 of 100", { timeout: 120_000 }, () => {
    const answerOf = answerExtractor();
    const solutions = labelledFiles(folder).flatMap((file) => file.solutions);
    const verdicts = new Map<string, boolean>();
    const agreed = solutions.filter(({ text, reference, right }) => {
      const [answer, wanted] = [answerOf(text), answerOf(reference) ?? reference];
      if (answer === null) return !right;
      const key = JSON.stringify([answer, wanted]);
      if (!verdicts.has(key)) verdicts.set(key, means(answer, wanted));
      return verdicts.get(key) === right;
    });
    expect(solutions.length).toBeGreaterThan(18_000);
    expect(agreed.length / solutions.length).toBeGreaterThan(0.99);
  });
});

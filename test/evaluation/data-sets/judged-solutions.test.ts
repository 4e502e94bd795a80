/** Judged steps in every layout, and what is said about records that are none. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { readJudgedSolutions } from "../../../lib/evaluation/data-sets/judged-solutions.js";
import { readQuestions } from "../../../lib/evaluation/questions.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-judged-"));
const file = join(folder, "judged.jsonl");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(records: readonly object[], limit?: number) {
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join("\n"));
  return readJudgedSolutions(file, limit);
}

const processBench = { id: "p-1", problem: "2+2?", steps: ["2+2=5", "5"], final_answer_correct: false, label: 0 };

const completion = (text: string, rating: number | null) => ({ text, rating, flagged: false });
const step = (chosen: number | null, completions: readonly object[], human: object | null = null) => ({
  ...{ completions, human_completion: human, chosen_completion: chosen },
});
const prm800k = (steps: readonly object[], finish_reason = "solution") => ({
  ...{ labeler: "l", is_quality_control_question: false, question: { problem: "p", ground_truth_answer: "4" } },
  label: { steps, total_time: 1, finish_reason },
});

describe("readJudgedSolutions", () => {
  it("reads ProcessBench", async () => {
    expect(await read([processBench, { ...processBench, label: -1 }])).toEqual([
      { id: "p-1", question: "2+2?", steps: ["2+2=5", "5"], firstError: 0 },
      { id: "p-1", question: "2+2?", steps: ["2+2=5", "5"], firstError: null },
    ]);
  });

  it("reads TRL's prompt, completions and labels", async () => {
    const found = await read([
      { prompt: "p", completions: ["a", "b", "c"], labels: [true, false, false] },
      { prompt: "p", completions: ["a", "b"], labels: [1, 1] },
    ]);
    expect(found.map(({ firstError }) => firstError)).toEqual([1, null]);
    expect(new Set(found.map(({ id }) => id)).size).toBe(2);
  });

  it.each<[string, object, { steps: string[]; firstError: number | null } | undefined]>([
    [
      "the chosen completions; a neutral one is not wrong",
      prm800k([
        step(1, [completion("no", -1), completion("a", 1)]),
        step(0, [completion("b", 0)]),
        step(0, [completion("c", 1)]),
      ]),
      { steps: ["a", "b", "c"], firstError: null },
    ],
    [
      "the labeller's own step, which is right",
      prm800k([
        step(null, [completion("no", -1)], { text: "own", rating: null, source: "human" }),
        step(0, [completion("b", -1)]),
        step(0, [completion("c", 1)]),
      ]),
      { steps: ["own", "b", "c"], firstError: 1 },
    ],
    [
      "the first completion where none was gone on with, as the end",
      prm800k(
        [step(0, [completion("a", 1)]), step(null, [completion("wrong", -1), completion("better", 1)]), step(0, [])],
        "found_error",
      ),
      { steps: ["a", "wrong"], firstError: 1 },
    ],
    [
      "what comes before a step without a rating",
      prm800k([step(0, [completion("a", 1)]), step(0, [completion("b", null)]), step(0, [completion("c", -1)])]),
      { steps: ["a"], firstError: null },
    ],
    ["nothing of a bad problem", prm800k([step(0, [completion("a", 1)])], "bad_problem"), undefined],
    ["nothing where no step is rated", prm800k([step(null, [])], "give_up"), undefined],
  ])("reads of PRM800K %s", async (_, record, expected) => {
    const [first, second] = await read([record, processBench]);
    if (expected === undefined) expect(first!.id).toBe("p-1");
    else {
      expect(first).toMatchObject({ question: "p", ...expected });
      expect(second!.id).toBe("p-1");
    }
  });

  it("reads Parquet", async () => {
    const found = await readJudgedSolutions(fileURLToPath(new URL("processbench.parquet", import.meta.url)));
    expect(found.map(({ id, firstError }) => [id, firstError])).toEqual([
      ["made-up-0", null],
      ["made-up-1", 1],
    ]);
  });

  it("takes a limit evenly over the file", async () => {
    const all = Array.from({ length: 10 }, (_, i) => ({ ...processBench, id: i }));
    expect((await read(all, 4)).map(({ id }) => id)).toEqual(["0", "2", "5", "7"]);
    expect(await read(all, 11)).toHaveLength(10);
  });

  it.each<[string, object, RegExp]>([
    [
      "a label past the end",
      { ...processBench, label: 2 },
      /judged\.jsonl:1 is not .*: label: 2, but there are only 2/,
    ],
    ["a label that is no index", { ...processBench, label: 0.5 }, /:1 .*: label:/],
    ["no steps", { ...processBench, steps: [] }, /:1 .*: steps:/],
    ["a step that is no text", { ...processBench, steps: ["a", 1] }, /:1 .*: steps\.1:/],
    ["no problem", { ...processBench, problem: " " }, /:1 .*: problem:/],
    ["too few labels", { prompt: "p", completions: ["a", "b"], labels: [true] }, /:1 .*: labels: there are 1 for 2/],
    ["a soft label", { prompt: "p", completions: ["a"], labels: [0.5] }, /:1 .*: labels\.0:/],
    ["a choice of nothing", prm800k([step(1, [completion("a", 1)])]), /:1 .*: chosen_completion: there is no 1/],
    ["a question", { question: "1+1?", answer: "2" }, /:1 .*it has only question, answer; expected .*ProcessBench/],
  ])("refuses %s", async (_, record, message) => {
    await expect(read([record])).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message) as string,
    });
  });

  it("refuses a file of none", async () => {
    await expect(read([])).rejects.toThrow(/has no solutions with judged steps/);
  });
});

const shared = fileURLToPath(new URL("../../../../shared/data/", import.meta.url));

describe.skipIf(!existsSync(shared))("published data sets (needs ../shared/data)", () => {
  it.each([
    ["gsm8k", 400, 207],
    ["math", 1000, 594],
  ])("ProcessBench's %s has %d solutions, %d of them erroneous", async (name, all, wrong) => {
    const solutions = await readJudgedSolutions(`${shared}process/processbench_${name}.json.gz`);
    expect(solutions).toHaveLength(all);
    expect(solutions.filter(({ firstError }) => firstError !== null)).toHaveLength(wrong);
  });

  it.each([
    ["aime24.jsonl", 30, undefined],
    ["amc23.jsonl", 40, undefined],
    ["gsm8k_test.jsonl", 1319, undefined],
    ["gsm8k_train.jsonl.gz", 7473, undefined],
    ["math500.jsonl", 500, 7],
    ["math_test_5000.jsonl.gz", 5000, 7],
  ])("%s has %d questions", async (name, count, subjects) => {
    const questions = await readQuestions(`${shared}problems/${name}`);
    expect(questions).toHaveLength(count);
    for (const { subject, level, grader } of questions) {
      expect(grader).toBe("math");
      expect(subject === undefined).toBe(subjects === undefined);
      if (subject !== undefined && level !== undefined) expect([1, 2, 3, 4, 5]).toContain(level);
    }
    if (subjects !== undefined) expect(new Set(questions.map(({ subject }) => subject)).size).toBe(subjects);
    else for (const { answer } of questions) expect(Number(answer)).not.toBeNaN();
  });

  it("MATH-500's answers are those that MATH's solutions box", async () => {
    const boxed = new Map(
      (await readQuestions(`${shared}problems/math_test_5000.jsonl.gz`)).map((one) => [one.question, one]),
    );
    const stated = await readQuestions(`${shared}problems/math500.jsonl`);
    const found = stated.filter(({ question }) => boxed.has(question));
    expect(found.length).toBeGreaterThan(490);
    for (const { question, subject, level } of found) expect(boxed.get(question)).toMatchObject({ subject, level });
    const apart = found.filter(({ question, answer }) => boxed.get(question)!.answer !== answer);
    expect(apart.map(({ answer, question }) => [answer, boxed.get(question)!.answer])).toEqual([]);
  });
});

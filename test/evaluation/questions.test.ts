/** Every layout that is read, and what is said about lines that are none. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { linesOf } from "../../lib/evaluation/lines.js";
import { digestOf, readQuestions } from "../../lib/evaluation/questions.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-questions-"));
const file = join(folder, "questions.jsonl");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(lines: readonly (object | string)[], limit?: number) {
  writeFileSync(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return readQuestions(file, limit);
}

describe("readQuestions", () => {
  it("reads short answers, GSM8K's and MATH's layouts", async () => {
    const questions = await read([
      { id: "h1", question: "1+1?", answer: "2", pass1: 0.5 },
      { id: 60, question: "Half?", answer: 27.0 },
      { question: "How much?", answer: "She makes 9 * 2 = $<<9*2=18>>18.\n#### 1,018" },
      { unique_id: "test/a/1.json", problem: "p", solution: "So $\\boxed{\\frac{14}{3}}$.", level: 3 },
      { problem: "q", solution: "First \\boxed{1}, no: $\\boxed{p - q}$.", answer: "p - q" },
      "",
      { problem: "r", answer: "\\left( 3, \\frac{\\pi}{2} \\right)" },
    ]);
    expect(questions.map(({ answer }) => answer)).toEqual([
      ...["2", "27", "1018", "\\frac{14}{3}", "p - q", "\\left( 3, \\frac{\\pi}{2} \\right)"],
    ]);
    expect(questions.map(({ question }) => question)).toEqual(["1+1?", "Half?", "How much?", "p", "q", "r"]);
    expect(questions.map(({ id }) => id).slice(0, 4)).toEqual([
      "h1",
      "60",
      expect.stringMatching(/^[0-9a-f]{16}$/),
      "test/a/1.json",
    ]);
    expect(questions.map(({ other }) => other).slice(0, 4)).toEqual([{ pass1: 0.5 }, {}, {}, {}]);
    expect(questions[3]).toMatchObject({ level: 3, grader: "math" });
  });

  it("reads subject and level of MATH and MATH-500", async () => {
    const solution = "So $\\boxed{2}$.";
    const questions = await read([
      { problem: "a", level: "Level 5", type: "Precalculus", solution, idx: 0 },
      { problem: "b", level: "Level ?", type: "Geometry", solution },
      { problem: "c", level: 2, subject: "Algebra", solution, answer: "2", unique_id: "test/1" },
    ]);
    const about = questions.map(({ answer, subject, level, other }) => [answer, subject, level, other]);
    expect(about).toEqual([
      ["2", "Precalculus", 5, { idx: 0 }],
      ["2", "Geometry", undefined, {}],
      ["2", "Algebra", 2, {}],
    ]);
  });

  it("reads AIME and AMC as they are published", async () => {
    const questions = await read([
      { id: 60, problem: "a", solution: "... 204", answer: "204", url: "u", question: "a" },
      { ID: "2024-II-4", Problem: "b", Solution: "So \\boxed{33}.", Answer: 33 },
      { ID: "1983-1", Year: 1983, Question: "c", Answer: "060", Part: "I" },
      { id: 0, problem: "d", answer: 142.0, url: "u" },
    ]);
    expect(questions.map(({ id, question, answer }) => [id, question, answer])).toEqual([
      ["60", "a", "204"],
      ["2024-II-4", "b", "33"],
      ["1983-1", "c", "60"],
      ["0", "d", "142"],
    ]);
  });

  it("reads Parquet", async () => {
    const path = fileURLToPath(new URL("data-sets/math500.parquet", import.meta.url));
    const questions = await readQuestions(path, 2049);
    expect(questions).toHaveLength(2049);
    expect(questions.at(-1)).toEqual({
      ...{ id: "test/algebra/2048.json", question: "What is 2048 + 1?", answer: "2049" },
      ...{ subject: "Algebra", level: 4, grader: "math", other: {} },
    });
  });

  it("keeps the tests of a program as they are", async () => {
    const tests = ["assert f('a  b') == 1\n", "assert f(2)"];
    const exchanges = [{ input: "1\n", output: "2" }];
    const questions = await read([
      { question: "Write f.", tests },
      { question: "Write g.", tests: exchanges },
      { question: "Write h.", tests: "check(h)", answer: "beside the point" },
    ]);
    expect(questions.map(({ answer }) => JSON.parse(answer) as unknown)).toEqual([tests, exchanges, "check(h)"]);
    expect(questions.map(({ grader }) => grader)).toEqual([undefined, undefined, undefined]);
  });

  it("reads the held-out file", async () => {
    const questions = await readQuestions(fileURLToPath(new URL("../../models/heldout.jsonl", import.meta.url)), 20);
    expect(questions).toHaveLength(20);
    expect(questions[0]).toMatchObject({ id: "h0000", answer: "76", other: { pass1: 0.9844 } });
  });

  it("stops at the limit, before lines that are wrong", async () => {
    expect(await read([{ question: "a", answer: 1 }, "no question"], 1)).toHaveLength(1);
  });

  it.each<[string, (object | string)[], RegExp]>([
    ["no JSON", [{ question: "a", answer: 1 }, "what?"], /questions\.jsonl:2 is not JSON \(.*\): expected JSON lines/],
    ["no object", ["[1]"], /, record 1 is not a question: it is no object; expected \{"question"/],
    ["no object on a line", ["1"], /:1 is not a question: it is no object/],
    ["no fields", ["{}"], /:1 is not a question: it has only nothing/],
    ["judged steps", [{ problem: "p", steps: ["a"], label: 0 }], /:1 .*: it is a solution with judged steps/],
    ["a solution that is none", [{ problem: "p", solution: 1 }], /:1 is not a question: solution:/],
    ["no question", [{ answer: "2" }], /:1 .*neither question nor problem/],
    ["an empty question", [{ question: " ", answer: "2" }], /:1 is not a question: question:/],
    ["no answer", [{ question: "1+1?" }], /:1 is not a question: it has only question; expected/],
    [
      "a solution that boxes nothing",
      [{ problem: "1+1?", solution: "It is 2." }],
      /:1 .*solution: it states no answer/,
    ],
    ["an empty answer", [{ question: "1+1?", answer: " " }], /:1 .*answer: it is empty/],
    ["an answer that is a list", [{ question: "1+1?", answer: ["2"] }], /:1 .*answer:/],
    [
      "a question twice",
      [
        { question: "a", answer: 1 },
        { question: "a", answer: 2 },
      ],
      /:2 repeats the question/,
    ],
    [
      "an id twice",
      [
        { id: 1, question: "a", answer: 1 },
        { id: "1", question: "b", answer: 2 },
      ],
      /:2 repeats the question 1/,
    ],
    ["nothing", ["", " "], /questions\.jsonl has no questions/],
  ])("refuses %s", async (_, lines, message) => {
    await expect(read(lines)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message) as string,
    });
  });

  it("refuses a file that is not there", async () => {
    await expect(readQuestions(join(folder, "none"))).rejects.toThrow(/cannot read .*none/);
  });

  it("has one digest for a list", async () => {
    const [a, b] = await read([
      { question: "a", answer: 1 },
      { question: "b", answer: 2 },
    ]);
    expect(digestOf([a!, b!])).toBe(digestOf([{ ...a! }, b!]));
    expect(digestOf([a!, b!])).not.toBe(digestOf([b!, a!]));
    expect(digestOf([a!])).not.toBe(digestOf([{ ...a!, answer: "3" }]));
  });
});

describe("linesOf", () => {
  it("splits at line feeds alone, however the bytes come", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom("\n", "\r", "\u2028", "é", "𝄞", "a") })),
        fc.infiniteStream(fc.nat(5)),
        async (parts, sizes) => {
          const text = parts.join("\n");
          const bytes = Buffer.from(text);
          const lines = [];
          for await (const line of linesOf(chunksOf(bytes, sizes))) lines.push(line);
          expect(lines.map((line) => line.text + (line.whole ? "\n" : "")).join("")).toBe(text);
          for (const line of lines) {
            expect(line.text).not.toContain("\n");
            expect(line.whole ? bytes[line.end - 1] : 0x0a).toBe(0x0a);
          }
          expect(lines.at(-1)?.end ?? 0).toBe(bytes.length);
          expect(lines.map((line) => line.number)).toEqual(lines.map((_, i) => i + 1));
        },
      ),
    );
  });
});

async function* chunksOf(bytes: Buffer, sizes: Iterator<number>): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const size = (sizes.next().value as number) + 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/**
 * Programs, graded by running their tests.
 *
 * Owns: reading a program off a solution's text, the forms of tests, what passing is.
 * Must not know: how a process is locked down.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";

import { ThinkTreeError, parseOptions } from "../errors.js";
import { customGrader, unfit, type Grader } from "./grader.js";
import { runProgram, type Limits, type Outcome, type Program } from "./sandbox.js";

export const codeLanguages = ["python", "javascript"] as const;

export type CodeLanguage = (typeof codeLanguages)[number];

export interface CodeTestsOptions {
  readonly language: CodeLanguage;
  /** Of all assertions together, or of each input; 100 to 600,000 ms, default 5,000. */
  readonly timeLimitMs?: number;
  /** 64 to 65,536 MiB, default 512. */
  readonly memoryMib?: number;
  /** Processes at once; 1 to 64, default 2. */
  readonly concurrency?: number;
}

/**
 * What a program must pass: assertions in its own language that are run after it, or inputs with the outputs it must print,
 * each to a process of its own.
 */
export type Tests = string | readonly string[] | readonly { readonly input: string; readonly output: string }[];

const assertions = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const exchanges = z.array(z.strictObject({ input: z.string(), output: z.string() })).min(1);

const schema = z.object({
  language: z.enum(codeLanguages),
  timeLimitMs: z.number().min(100).max(600_000).default(5_000),
  memoryMib: z.number().int().min(64).max(65_536).default(512),
  concurrency: z.number().int().min(1).max(64).default(2),
});

/**
 * The reference is Tests as JSON. The program and its assertions share a process: one that sets out to cheat them can; see
 * docs/grading.md. Needs a POSIX system, and `python3` on the path for Python.
 *
 * @throws {ThinkTreeError} INVALID_OPTION
 */
export function codeTests(options: CodeTestsOptions): Grader {
  const { language, timeLimitMs: milliseconds, memoryMib, concurrency } = parseOptions(schema, options);
  const interpreter = interpreterOf(language, memoryMib);
  const limits = { milliseconds, memoryMib };
  const closed = new AbortController();
  const turns = new Turns(concurrency);
  const judge = (code: string, reference: string) => {
    const tests = testsOf(reference);
    return turns.take(() => passes(interpreter, code, tests, limits, closed.signal));
  };
  return customGrader(`${language} within ${milliseconds} ms and ${memoryMib} MiB`, judge, {
    answerOf: (text) => codeOf(text, language),
    check: (reference) => void testsOf(reference),
    close: async () => closed.abort(),
  });
}

/** @throws {ThinkTreeError} INVALID_OPTION */
function testsOf(reference: string): Exclude<Tests, string> {
  let tests: unknown;
  try {
    tests = JSON.parse(reference);
  } catch {
    // Told below.
  }
  const asserted = assertions.safeParse(tests);
  if (asserted.success) return [asserted.data].flat();
  const exchanged = exchanges.safeParse(tests);
  if (exchanged.success) return exchanged.data;
  const expected = 'a string or list of assertions, or a list of {"input", "output"}';
  throw unfit(`these are no tests of a program: ${reference.slice(0, 60)}; expected as JSON ${expected}`);
}

/** The last fenced block, of its language if there is one of it; the whole text where nothing is fenced. */
function codeOf(text: string, language: CodeLanguage): string | null {
  const names = { python: /^(?:py|python3?)$/i, javascript: /^(?:js|javascript|mjs|cjs|node)$/i }[language];
  const blocks = [...text.matchAll(/^[ \t]*```([\w+-]*)[^\n]*\n([\s\S]*?)(?:^[ \t]*```|$(?![\s\S]))/gm)];
  const block = blocks.findLast(([, name]) => names.test(name!)) ?? blocks.at(-1);
  const code = block?.[2] ?? text;
  return code.trim() === "" ? null : code;
}

async function passes(
  interpreter: Interpreter,
  code: string,
  tests: Exclude<Tests, string>,
  limits: Limits,
  signal: AbortSignal,
): Promise<boolean> {
  const run = async (program: Program): Promise<Outcome> => {
    const outcome = await runProgram(program, limits, signal);
    if (signal.aborted) throw new ThinkTreeError("CANCELLED", "the grader was closed while tests were running");
    return outcome;
  };
  const [first] = tests;
  if (typeof first === "string") {
    const token = randomUUID(); // so that a program that just exits has not passed
    const { report } = await run(interpreter.asserting(JSON.stringify({ code, tests, token })));
    return report === token;
  }
  for (const { input, output } of tests as readonly { input: string; output: string }[]) {
    const { code: status, stdout } = await run(interpreter.printing(code, input));
    if (status !== 0 || printed(stdout) !== printed(output)) return false;
  }
  return true;
}

/** But for blanks at the ends of lines and of the whole. */
function printed(text: string): string {
  return text.replace(/[ \t\r]+$/gm, "").trimEnd();
}

interface Interpreter {
  readonly asserting: (job: string) => Program;
  readonly printing: (code: string, stdin: string) => Program;
}

const pythonRunner = `
import json, os, sys
job = json.load(sys.stdin)
sys.stdin = open(os.devnull)
scope = {"__name__": "solution"}
exec(compile(job["code"], "solution.py", "exec"), scope)
for test in job["tests"]:
    exec(compile(test, "tests.py", "exec"), scope)
os.write(3, job["token"].encode())
`;

// One function around all of it: what the program declares is what the tests see, and both may wait.
const javascriptRunner = `
const { readFileSync, writeSync } = require("node:fs");
const { code, tests, token } = JSON.parse(readFileSync(0, "utf8"));
Object.assign(globalThis, { require, module, exports });
globalThis.assert ??= require("node:assert");
const AsyncFunction = (async () => {}).constructor;
new AsyncFunction([code, ...tests].join("\\n;"))().then(() => writeSync(3, token));
`;

function interpreterOf(language: CodeLanguage, memoryMib: number): Interpreter {
  if (process.platform === "win32") throw unfit("programs cannot be graded on Windows: nothing there bounds them");
  if (language === "python") {
    const python = pythonPath();
    const flags = ["-I", "-B", "-X", "utf8"];
    return {
      asserting: (job) => ({
        command: () => [python, ...flags, "-c", pythonRunner],
        stdin: job,
        limitedMemory: "addresses",
      }),
      printing: (code, stdin) => ({
        ...{ command: () => [python, ...flags, "solution.py"], file: { name: "solution.py", text: code }, stdin },
        limitedMemory: "addresses",
      }),
    };
  }
  const [major] = process.versions.node.split(".").map(Number);
  const flags = [
    major! < 24 ? "--experimental-permission" : "--permission",
    `--max-old-space-size=${memoryMib}`,
    "--no-warnings",
  ];
  return {
    asserting: (job) => ({
      ...{ command: () => [process.execPath, ...flags, "-e", javascriptRunner], stdin: job },
      limitedMemory: "data",
    }),
    printing: (code, stdin) => {
      const name = /^\s*(?:import\b(?!\s*\()|export\b)/m.test(code) ? "solution.mjs" : "solution.cjs";
      return {
        command: (folder) => [process.execPath, ...flags, `--allow-fs-read=${join(folder, name)}`, join(folder, name)],
        ...{ file: { name, text: code }, stdin, limitedMemory: "data" },
      };
    },
  };
}

/** The interpreter itself: what is on the path may be a script that needs the environment. */
function pythonPath(): string {
  const { stdout, status } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
  if (status !== 0 || stdout.trim() === "")
    throw unfit("python3 is not on the path: install it to grade Python programs");
  return stdout.trim();
}

/** At most so many at once, first come, first served. */
class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

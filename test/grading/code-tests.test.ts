/** Programs in processes of their own: what passes, and that nothing gets out of hand. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { codeTests, type CodeLanguage, type Tests } from "../../lib/grading/code-tests.js";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const apart =
  spawnSync("/usr/bin/unshare", ["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "/bin/true"])
    .status === 0;

const usual = { timeLimitMs: 20_000, memoryMib: 256 } as const;
const graders = {
  javascript: codeTests({ language: "javascript", ...usual }),
  ...(hasPython && { python: codeTests({ language: "python", ...usual }) }),
} as Record<CodeLanguage, ReturnType<typeof codeTests>>;
const grade = (language: CodeLanguage, code: string, tests: Tests) =>
  graders[language].grade(code, JSON.stringify(tests));
const hasty = async (language: CodeLanguage, code: string) => {
  await using grader = codeTests({ language, timeLimitMs: 500 });
  return await grader.grade(code, '["1"]');
};
/** Where programs get their folders. */
const folder = mkdtempSync(join(tmpdir(), "thinktree-code-tests-"));
vi.stubEnv("TMPDIR", folder);
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all(Object.values(graders).map((grader) => grader.close()));
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

const doubled: Tests = [
  { input: "3\n", output: "6" },
  { input: "4", output: "8\n" },
];

describe.skipIf(!hasPython)("python (needs python3)", () => {
  it.each<[string, string, Tests, boolean]>([
    ["right", "def f(x):\n  return x + 1", ["assert f(1) == 2", "assert f(2) == 3"], true],
    ["right, tests in one text", "def f(x):\n  return x + 1", "def check(g):\n  assert g(1) == 2\ncheck(f)", true],
    ["wrong in the second", "def f(x):\n  return 2", ["assert f(1) == 2", "assert f(2) == 3"], false],
    ["no Python", "def f(x) return", ["assert True"], false],
    ["ends before its tests", "import os\nos._exit(0)", ["assert False"], false],
    [
      "its main part is not run",
      "def f(): return 1\nif __name__ == '__main__':\n  f(input())",
      ["assert f() == 1"],
      true,
    ],
    ["prints what it should", "n = int(input())\nprint(n * 2, '')", doubled, true],
    ["prints something else", "print(6)", doubled, false],
    ["prints and then fails", "print(int(input()) * 2)\nexit(1)", doubled, false],
    ["takes all memory", "x = bytearray(10**10)", ["assert True"], false],
    ["prints without end", "while True: print('x' * 10**6)", ["assert True"], false],
    ["writes a large file", "open('big', 'wb').write(b'x' * (1 << 26))", ["assert True"], false],
    ["sees the environment", "import os\nassert 'HOME' in os.environ or 'PATH' in os.environ", ["assert True"], false],
    ["is in a folder of its own", "import os\nassert os.listdir('.') == []", ["assert True"], true],
  ])("%s", async (_, code, tests, right) => {
    expect(await grade("python", code, tests)).toBe(right);
  });

  it.skipIf(!apart)("has no network and sees no other process, where namespaces are allowed", async () => {
    const network = "import socket\nassert [name for _, name in socket.if_nameindex()] == ['lo']";
    const processes = "import os\nassert len([p for p in os.listdir('/proc') if p.isdigit()]) < 4";
    expect(await grade("python", network, ["assert True"])).toBe(true);
    expect(await grade("python", processes, ["assert True"])).toBe(true);
  });

  it.each([
    ["a loop", "while True: pass"],
    ["a sleep", "import time\ntime.sleep(1000)"],
  ])("is stopped in time: %s", async (_, code) => {
    expect(await hasty("python", code)).toBe(false);
  });

  it("is stopped with all it started", async () => {
    const seconds = String(100_000 + Math.floor(Math.random() * 1e9));
    const sleeper = `if os.fork() == 0: os.execvp("sleep", ["sleep", "${seconds}"])`;
    expect(await hasty("python", `import os\n${sleeper}\n${sleeper}\nos.wait()`)).toBe(false);
    expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(seconds);
  });

  it("is ended by close()", async () => {
    const grader = codeTests({ language: "python", timeLimitMs: 600_000 });
    const verdict = grader.grade("import time\ntime.sleep(1000)", '["1"]');
    setTimeout(() => void grader.close(), 200);
    await expect(verdict).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("javascript", () => {
  it.each<[string, string, Tests, boolean]>([
    ["right", "const f = (x) => x + 1;", ["assert.equal(f(1), 2)"], true],
    [
      "right, with an assert of its own",
      "const assert = require('assert'); function f(x) { return x + 1 }",
      ["assert(f(1) === 2)"],
      true,
    ],
    ["right after a while", "const f = async (x) => x + 1;", ["assert.equal(await f(1), 2)"], true],
    ["wrong", "const f = (x) => x;", ["assert.equal(f(1), 2)"], false],
    ["ends before its tests", "process.exit(0)", ["assert(false)"], false],
    ["prints what it should", "console.log(+require('fs').readFileSync(0, 'utf8') * 2)", doubled, true],
    [
      "a module that does",
      "import { readFileSync } from 'node:fs';\nconsole.log(+readFileSync(0, 'utf8') * 2)",
      doubled,
      true,
    ],
    ["prints something else", "console.log(6)", doubled, false],
    ["reads files", "require('fs').readFileSync('/etc/hostname')", ["1"], false],
    ["writes files", "require('fs').writeFileSync('x', 'x')", ["1"], false],
    ["starts processes", "require('child_process').execSync('true')", ["1"], false],
    ["takes all memory", "const a = []; for (;;) a.push(Buffer.alloc(1e8, 1))", ["1"], false],
  ])("%s", async (_, code, tests, right) => {
    expect(await grade("javascript", code, tests)).toBe(right);
  });

  it("is stopped in time", async () => {
    expect(await hasty("javascript", "for (;;);")).toBe(false);
  });
});

describe("codeTests", () => {
  it.each([
    ["Try:\n```python\nx = 1\n```\nor rather\n```python\nx = 2\n```\nthat is it", "x = 2\n"],
    ["```python\nx = 1\n```\nwhich prints\n```\n1\n```", "x = 1\n"],
    ["```\nx = 1\n```", "x = 1\n"],
    ["```python\nx = 1\n", "x = 1\n"],
    ["x = 1", "x = 1"],
    ["", null],
  ])("reads the program off %j", (text, code) => {
    expect((graders.python ?? codeTests({ language: "javascript" })).answerOf!(text)).toBe(code);
  });

  it.each(["42", "assert True", "[]", '""', '[{"input": "1"}]', "[1]"])("refuses %s as tests", async (reference) => {
    expect(() => graders.javascript.check!(reference)).toThrow(/no tests of a program/);
    await expect(graders.javascript.grade("1", reference)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("refuses limits out of range", () => {
    expect(() => codeTests({ language: "javascript", timeLimitMs: 1 })).toThrow(/timeLimitMs/);
    expect(() => codeTests({ language: "cobol" as "python" })).toThrow(/language/);
  });

  it("grades many at once, two at a time", async () => {
    const all = Array.from({ length: 8 }, (_, i) => grade("javascript", `const x = ${i}`, [`assert(x % 2 === 0)`]));
    expect(await Promise.all(all)).toEqual(all.map((_, i) => i % 2 === 0));
  });
});

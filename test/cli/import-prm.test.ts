/** `thinktree import-prm` as a user meets it: what it prints, and what it says of a wrong call. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { writeCheckpoint } from "../support/checkpoints.js";
import { thinktree } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-import-"));
let checkpoint: string;
beforeAll(async () => {
  checkpoint = await writeCheckpoint(folder, "reasoneval-34b");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("prints the files and the recipe", async () => {
  const out = join(folder, "prm");
  const { code, stdout, stderr } = await thinktree([
    "import-prm",
    checkpoint,
    "--out",
    `${out}.gguf`,
    "--type",
    "q8_0",
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(`${out}.gguf\n${out}.head.gguf\nrecipe reasoneval-34b\n`);
});

it.each<[string, string[], RegExp]>([
  ["no folder", ["/nowhere", "--out", "x"], /cannot import \/nowhere: there is no such folder/],
  ["no name", ["/nowhere"], /required option '--out <name>'/],
  ["an unknown type", ["/nowhere", "--out", "x", "--type", "q3"], /Allowed choices are f32, f16, bf16, q8_0/],
  ["an unknown recipe", ["/nowhere", "--out", "x", "--recipe", "prm"], /Allowed choices are math-shepherd/],
])("says what is wrong with %s", async (_, args, message) => {
  const { code, stdout, stderr } = await thinktree(["import-prm", ...args]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^thinktree: [^\n]+\n$/);
  expect(stderr).toMatch(message);
});

it("says so if the checkpoint is of another recipe, or the place cannot be written", async () => {
  const before = readdirSync(folder);
  const args = ["import-prm", checkpoint, "--out"];
  const wrong = await thinktree([...args, join(folder, "other"), "--recipe", "trl"]);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: "thinktree: the checkpoint's head is of recipe reasoneval-34b, not trl\n",
  });
  const nowhere = await thinktree([...args, "/nowhere/prm"]);
  expect(nowhere.code).toBe(2);
  expect(nowhere.stderr).toMatch(/cannot write \/nowhere\/prm\.gguf/);
  expect(readdirSync(folder)).toEqual(before);
});

it("helps in 80 columns", async () => {
  const { code, stdout } = await thinktree(["import-prm", "--help"]);
  expect(code).toBe(0);
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(stdout).toContain("Exit codes:");
});

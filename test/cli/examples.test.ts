/** The examples run as a reader would run them. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { embeddedModels } from "../support/models.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const node = async (...args: string[]) => (await promisify(execFile)(process.execPath, args, { cwd: root })).stdout;

/** What each prints, in part: of every example, so that none goes untested. */
const prints: Record<string, RegExp[]> = {
  "solve.ts": [/^\d\.\d{3} 4\*6=24$/m, /^Answer: 19 \(complete, \d+ tokens, \d+ ms\)$/m],
  "own-strategy.ts": [/^second-thoughts: 19, \d+ tokens$/m],
  "many-questions.ts": [
    /^19 \(complete\): Mia/m,
    /^\d+ \(complete\): Leo/m,
    /^\d+ \(complete\): Ana/m,
    /^EMPTY_PROMPT: /m,
  ],
};

// They load the embedded models by default, so a folder for tests does not help them.
describe.skipIf(embeddedModels() === undefined || process.env["THINKTREE_TEST_MODELS"])(
  "examples (need models/)",
  () => {
    beforeAll(() => node(tsc, "-p", "examples"));

    it("are all here", () => {
      const files = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));
      expect(files.sort()).toEqual(Object.keys(prints).sort());
    });

    it.each(Object.entries(prints))("%s", async (file, parts) => {
      const output = await node(`build/examples/${file.replace(/ts$/, "js")}`);
      for (const part of parts) expect(output).toMatch(part);
    });
  },
);

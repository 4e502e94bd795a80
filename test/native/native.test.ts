/** Runs the C++ tests of test/native: as they are, and under the sanitizers. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "vitest";

const minutes = 60_000;

test.for(["none", "address", "thread"])("native tests, sanitizer: %s", { timeout: 15 * minutes }, async (sanitizer) => {
  const run = promisify(execFile)(process.execPath, ["scripts/native-tests.mjs", sanitizer], {
    maxBuffer: 64 * 1024 * 1024,
  });
  await run.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(error.stdout + error.stderr);
  });
});

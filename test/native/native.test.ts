/**
 * Runs the C++ tests: test/native as they are and under the sanitizers, test/cuda in an emulation of a device, and
 * test/kernels inside llama.cpp.
 */
import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { test } from "vitest";

import { buildModelMaker, writeSpecialModels } from "../support/random-models.js";

const minutes = 60_000;

test.for(["none", "address", "thread", "cuda"])("native tests: %s", { timeout: 15 * minutes }, async (kind) => {
  await succeeds(process.execPath, ["scripts/native-tests.mjs", kind]);
});

test("kernels", { timeout: 15 * minutes }, async () => {
  await succeeds("cmake", ["--build", "build", "--target", "kernel_tests", "--parallel"]);
  const model = join("models", "tiny-generator.gguf");
  buildModelMaker();
  const random = writeSpecialModels();
  // Lent beside the checkout; the tests of it say so and skip where it is not.
  const lent = join("..", "shared", "models", "test");
  const recurrent = existsSync(lent) && {
    THINKTREE_TEST_RECURRENT: join(lent, "tiny-rwkv-7v0-834K.gguf"),
    THINKTREE_TEST_RECURRENT_LOGITS: join(lent, "expected-logits-7v0-834K.bin"),
  };
  const named = { THINKTREE_TEST_MODEL: model, THINKTREE_TEST_RANDOM: random, ...recurrent };
  await succeeds(join("build", "kernel_tests"), [], { ...process.env, ...named });
  rmSync(random, { recursive: true });
});

async function succeeds(command: string, args: string[], env = process.env): Promise<void> {
  const run = promisify(execFile)(command, args, { env, maxBuffer: 64 * 1024 * 1024 });
  await run.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(error.stdout + error.stderr);
  });
}

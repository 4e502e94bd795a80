// Builds and runs test/native against the core alone: node scripts/native-tests.mjs [none|address|thread] [name filter]
// "address" is AddressSanitizer with LeakSanitizer and UndefinedBehaviorSanitizer, "thread" is ThreadSanitizer.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./files.mjs";

const [kind = "none", filter = ""] = process.argv.slice(2);
if (!["none", "address", "thread"].includes(kind)) {
  console.error(`native-tests: "${kind}" is not none, address or thread`);
  process.exit(2);
}

const folder = join(root, "build", `native-tests-${kind}`);
if (!existsSync(join(folder, "CMakeCache.txt"))) {
  run("cmake", [
    "-S",
    root,
    "-B",
    folder,
    "-DTHINKTREE_LLAMA=OFF",
    `-DTHINKTREE_SANITIZE=${kind === "none" ? "" : kind}`,
  ]);
}
run("cmake", ["--build", folder, "--target", "native_tests", "--parallel", String(availableParallelism())]);

const binary = join(folder, "native_tests");
// ThreadSanitizer maps its shadow at fixed addresses, which the address-space randomisation of recent kernels can hit.
const fixed = kind === "thread" && spawnSync("setarch", ["-R", "true"]).status === 0;
run(...(fixed ? ["setarch", ["-R", binary, filter]] : [binary, [filter]]));

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, {
    stdio: "inherit",
    env: {
      ...process.env,
      ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
      UBSAN_OPTIONS: "print_stacktrace=1",
      TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1",
    },
  });
  if (status === 0) return;
  console.error(
    `native-tests: ${command} ${error?.message ?? (signal ? `was killed by ${signal}` : `exited with ${status}`)}`,
  );
  process.exit(status || 1);
}

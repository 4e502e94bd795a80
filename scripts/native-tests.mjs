// Builds and runs test/native against the core alone: node scripts/native-tests.mjs [none|address|thread|cuda] [name filter]
// "address" is AddressSanitizer with LeakSanitizer and UndefinedBehaviorSanitizer, "thread" is ThreadSanitizer; "cuda"
// runs test/cuda instead, the kernels in an emulation of a device, whose switching of stacks the sanitizers do not follow.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./files.mjs";

const [kind = "none", filter = ""] = process.argv.slice(2);
if (!["none", "address", "thread", "cuda"].includes(kind)) {
  console.error(`native-tests: "${kind}" is not none, address, thread or cuda`);
  process.exit(2);
}

const sanitizer = ["address", "thread"].includes(kind) ? kind : "";
const program = kind === "cuda" ? "cuda_emulation_tests" : "native_tests";
const folder = join(root, "build", `native-tests-${sanitizer || "none"}`);
// Several files at once compile in half the time: most of it goes into what they all include.
const options = ["-DTHINKTREE_LLAMA=OFF", `-DTHINKTREE_SANITIZE=${sanitizer}`, "-DCMAKE_UNITY_BUILD=ON"];
run("cmake", ["-S", root, "-B", folder, ...options]);
run("cmake", ["--build", folder, "--target", program, "--parallel", String(availableParallelism())]);

const binary = join(folder, program);
// ThreadSanitizer maps its shadow at fixed addresses, which the address-space randomisation of recent kernels can hit.
const fixed = kind === "thread" && spawnSync("setarch", ["-R", "true"]).status === 0;
const shares = availableParallelism();
const running = Array.from({ length: shares }, (_, share) => {
  const args = [filter, String(share), String(shares)];
  const [command, all] = fixed ? ["setarch", ["-R", binary, ...args]] : [binary, args];
  const child = spawn(command, all, {
    stdio: "inherit",
    env: {
      ...process.env,
      ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
      UBSAN_OPTIONS: "print_stacktrace=1",
      TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1",
    },
  });
  return once(child, "exit").then(([status, signal]) => ended(command, status, signal));
});
await Promise.all(running);

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { stdio: "inherit" });
  ended(command, status, signal, error);
}

function ended(command, status, signal, error) {
  if (status === 0) return;
  console.error(
    `native-tests: ${command} ${error?.message ?? (signal ? `was killed by ${signal}` : `exited with ${status}`)}`,
  );
  process.exit(status || 1);
}

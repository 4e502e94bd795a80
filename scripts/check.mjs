// `npm run check`: everything that can be said about the sources without building the addon, all findings in one run.
// `npm run format` (--fix): the formatters and eslint's own repairs.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root, sources } from "./files.mjs";

const fix = process.argv.includes("--fix");
const cpp = sources(
  ["native", "bindings", "bench/gpu", "bench/native", "test/cuda", "test/models", "test/native"],
  [".h", ".cpp", ".cu", ".cuh"],
);

const checks = [
  ["prettier", fix ? "--write" : "--check", "--log-level=warn", "."],
  ["clang-format", ...(fix ? ["-i"] : ["--dry-run", "-Werror"]), ...cpp],
  ["eslint", ...(fix ? ["--fix"] : []), "."],
  ["tsc", "--noEmit"],
  ["tsc", "--noEmit", "--project", "tsconfig.page.json"],
  ["tsc", "--noEmit", "--project", "examples/electron/page"],
  ["depcruise", "--output-type=err", "lib"],
  ["node", "scripts/check-layers.mjs"],
  ["knip"],
  ["vitest", "run", "--project=fast"],
].slice(0, fix ? 3 : undefined);

const path = join(root, "node_modules", ".bin");
let failed = 0;
for (const [command, ...args] of checks) {
  const started = Date.now();
  const { status, stdout, stderr, error } = spawnSync(
    command === "node" ? process.execPath : join(path, command),
    args,
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${command} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(error?.message ?? stdout + stderr);
}
process.exit(failed > 0 ? 1 : 0);

// Builds what thinktree is compared with into build/rivals: node scripts/build-rivals.mjs [parallel jobs, default 2]
// llama.cpp comes unpatched out of the bundle that thinktree itself is built from, so nothing is downloaded. Minutes.
import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./files.mjs";

const [jobs = "2"] = process.argv.slice(2);
const bundle = join(root, "node_modules", "node-llama-cpp", "llama", "gitRelease.bundle");
const folder = join(root, "build", "rivals");
const source = join(folder, "source");

if (!existsSync(source)) {
  rmSync(`${source}.part`, { recursive: true, force: true });
  run("git", ["-c", "advice.detachedHead=false", "clone", "--quiet", bundle, `${source}.part`]);
  renameSync(`${source}.part`, source); // a folder that exists is whole
}
const project = join(root, "bench", "native", "rivals");
run("cmake", ["-S", project, "-B", folder, `-DRIVALS_LLAMA_SOURCE=${source}`]);
run("cmake", ["--build", folder, "--target", "llama-server", "replay_bench", "--parallel", jobs]);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status === 0) return;
  console.error(`build-rivals: ${command} failed: ${error?.message ?? `exit code ${status}`}`);
  process.exit(status || 1);
}

// Builds the addon into build/Release through cmake-js:
//   node scripts/build-native.mjs [--cuda] [--vulkan] [--metal] [--llama=CHECKOUT_OR_BUNDLE] [-DNAME=VALUE]
// Choices stay in build/CMakeCache.txt, so a later plain build keeps them; --no-cuda and so on take one back.
// With --cpu=NAME (native/cmake/cpu_variants.json), a binary that travels: build/portable/Release/thinktree-NAME.node.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./files.mjs";
import { buildPackages, requireTools } from "./tools.mjs";

// node-gyp, which comes through binding.gyp, keeps files of its own in build/.
const [gyp, flags] = process.argv[2] === "--gyp" ? [true, process.argv.slice(3)] : [false, process.argv.slice(2)];
const definitions = flags.map(definition);
const portable = flags.some((flag) => flag.startsWith("--cpu="));
const folder = join(
  root,
  "build",
  gyp ? "cmake" : portable ? `portable${flags.includes("--cuda") ? "-cuda" : ""}` : "",
);
const cache = join(folder, "CMakeCache.txt");
requireTools();

// CMake refuses a build folder that was copied or moved along with the repository.
if (existsSync(cache) && !readFileSync(cache, "utf8").includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`))
  rmSync(cache);
// Only `configure`: cmake-js's `compile` answers any compile error by wiping build/ and starting over.
const configured = existsSync(cache) && ["build.ninja", "Makefile"].some((file) => existsSync(join(folder, file)));
if (definitions.length > 0 || !configured) {
  const packages = buildPackages();
  const options = ["--directory", root, "--out", folder, `--CDTHINKTREE_PACKAGES=${packages}`, ...definitions];
  await run(process.execPath, [join(packages, "cmake-js/bin/cmake-js"), "configure", ...options]);
}
await run("cmake", [
  "--build",
  folder,
  "--config",
  "Release",
  "--target",
  "thinktree",
  "--parallel",
  String(availableParallelism()),
]);

/** --cuda → --CDTHINKTREE_CUDA=ON */
function definition(flag) {
  if (flag.startsWith("-D")) return `--C${flag.slice(1)}`;
  const [, no, name, value] = /^--(no-)?(cuda|vulkan|metal|cpu|llama)(?:=(.*))?$/.exec(flag) ?? [];
  if (name === "llama") return `--CDTHINKTREE_LLAMA_SOURCE=${value ?? ""}`;
  if (name === "cpu") return `--CDTHINKTREE_CPU=${value ?? ""}`;
  if (name) return `--CDTHINKTREE_${name.toUpperCase()}=${no ? "OFF" : "ON"}`;
  console.error(`build-native: unknown flag ${flag}`);
  process.exit(2);
}

/** Shows one line of progress, and all the output only if the command fails. */
function run(command, args) {
  return new Promise((resolve) => {
    let output = "";
    let shown = 0;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const read = (text) => {
      output += text;
      const [, done, of, percent] = /.*^\[ *(\d+)(?:\/(\d+)|(%))\]/ms.exec(text) ?? [];
      if (done) show(percent ? Number(done) : Math.floor((100 * done) / of));
    };
    const show = (percent) => {
      if (process.stdout.isTTY) process.stdout.write(`\r  ${percent}%`);
      else if (percent >= shown + 20) console.log(`  ${(shown = percent)}%`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", (error) => (output += error.message));
    child.on("close", (status) => {
      if (process.stdout.isTTY && output.includes("%")) console.log();
      if (status === 0) return resolve();
      console.error(output);
      process.exit(1);
    });
  });
}

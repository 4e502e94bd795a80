// Builds the addon into build/Release through cmake-js:
//   node scripts/build-native.mjs [--cuda] [--vulkan] [--metal] [--portable] [--llama=CHECKOUT_OR_BUNDLE] [-DNAME=VALUE]
// Choices stay in build/CMakeCache.txt, so a later plain build keeps them; --no-cuda and so on take one back.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./files.mjs";

// node-gyp, which comes through binding.gyp, keeps files of its own in build/.
const [gyp, flags] = process.argv[2] === "--gyp" ? [true, process.argv.slice(3)] : [false, process.argv.slice(2)];
const definitions = flags.map(definition);
const folder = join(root, "build", gyp ? "cmake" : "");
const cache = join(folder, "CMakeCache.txt");
const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");

// CMake refuses a build folder that was copied or moved along with the repository.
if (existsSync(cache) && !readFileSync(cache, "utf8").includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`))
  rmSync(cache);
// Only `configure`: cmake-js's `compile` answers any compile error by wiping build/ and starting over.
const configured = existsSync(cache) && ["build.ninja", "Makefile"].some((file) => existsSync(join(folder, file)));
if (definitions.length > 0 || !configured) {
  await run(process.execPath, [cmakeJs, "configure", "--directory", root, "--out", folder, ...definitions]);
}
await run("cmake", ["--build", folder, "--target", "thinktree", "--parallel", String(availableParallelism())]);

/** --cuda → --CDTHINKTREE_CUDA=ON */
function definition(flag) {
  if (flag.startsWith("-D")) return `--C${flag.slice(1)}`;
  const [, no, name, value] = /^--(no-)?(cuda|vulkan|metal|portable|llama)(?:=(.*))?$/.exec(flag) ?? [];
  if (name === "llama") return `--CDTHINKTREE_LLAMA_SOURCE=${value ?? ""}`;
  if (name === "portable") return `--CDTHINKTREE_NATIVE=${no ? "ON" : "OFF"}`;
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

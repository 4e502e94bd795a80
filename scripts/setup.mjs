// Makes a fresh checkout ready to run: tools, dependencies, addon, TypeScript. Each part is skipped when nothing it
// depends on has changed, so `npm run demo` and `npm test` call this every time. Needs no installed package itself.
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { root, whenChanged } from "./files.mjs";

const started = Date.now();
const at = (...path) => join(root, ...path);
const build = at("build");

requireTools();
mkdirSync(build, { recursive: true });
await alone(at("build", "setup.lock"), async () => {
  // Install scripts stay off: nothing needs one, and none may build or download behind our back.
  await whenChanged(at("node_modules", ".set-up"), [at("package-lock.json")], () =>
    step("dependencies", "npm", ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"]),
  );
  const native = ["CMakeLists.txt", "native", "bindings", join("node_modules", ".set-up")];
  await whenChanged(at("build", "Release", ".set-up"), native.map((path) => at(path)), () =>
    step("native addon (a few minutes the first time)", process.execPath, [at("scripts", "build-native.mjs")]),
  );
  const typescript = ["tsconfig.json", "tsconfig.build.json", "lib", join("node_modules", ".set-up")];
  await whenChanged(at("dist", ".set-up"), typescript.map((path) => at(path)), () =>
    step("TypeScript", process.execPath, [at("node_modules", "typescript", "bin", "tsc"), "-p", at("tsconfig.build.json")]),
  );
});

function requireTools() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 17)) stop(`Node ${process.versions.node} is too old: install Node 20.17 or newer`);
  const works = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  for (const [tool, commands, debian] of [
    ["a C++ compiler", [process.env.CXX ?? "c++"], "g++"],
    ["cmake", ["cmake"], "cmake"],
    ["make or ninja", ["ninja", "make"], "make"],
    ["git", ["git"], "git"],
  ]) {
    if (!commands.some(works)) stop(`${tool} is missing: sudo apt-get install ${debian}`);
  }
}

function step(name, command, args) {
  console.log(`thinktree: ${name}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) stop(`${name} failed${error ? `: ${error.message}` : ""}`);
  console.log(`thinktree: ${name}: done after ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Two set-ups at once would write the same folders: the second waits, and then finds all done. */
async function alone(lock, work) {
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  process.on("exit", () => rmSync(mine, { force: true }));
  for (let told = false; !taken(); told = true) {
    if (!told) console.log(`thinktree: another set-up is running; waiting (delete ${lock} if that is wrong)`);
    await setTimeout(200);
  }
  process.on("exit", () => rmSync(lock, { force: true }));
  await work();

  // A link appears whole, with its owner's number in it. One whose owner is gone was left by a set-up that was killed.
  function taken() {
    try {
      linkSync(mine, lock);
      return true;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!ownerLives()) rmSync(lock, { force: true });
      return false;
    }
  }
  function ownerLives() {
    try {
      process.kill(Number(readFileSync(lock, "utf8")), 0);
      return true;
    } catch (error) {
      return error.code === "EPERM";
    }
  }
}

function stop(message) {
  console.error(`thinktree: ${message}`);
  process.exit(1);
}

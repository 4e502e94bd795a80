// Makes a fresh checkout ready to run: tools, dependencies, addon, TypeScript. Each part is skipped when nothing it
// depends on has changed, so `npm run demo` and `npm test` call this every time. Needs no installed package itself.
import { spawnSync } from "node:child_process";
import { mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { root, whenChanged } from "./files.mjs";
import { requireTools } from "./tools.mjs";

const started = Date.now();
const build = join(root, "build");

requireNode();
requireTools();
mkdirSync(build, { recursive: true });
await alone(join(build, "setup.lock"), async () => {
  const dependencies = "node_modules/.set-up";
  // Install scripts stay off: nothing needs one, and none may build or download behind our back.
  await whenChanged(dependencies, ["package-lock.json"], () =>
    step("dependencies", "npm", "ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"),
  );
  await whenChanged("build/Release/.set-up", [dependencies, "CMakeLists.txt", "native", "bindings"], () =>
    step("native addon (minutes, the first time)", process.execPath, "scripts/build-native.mjs"),
  );
  const projects = ["tsconfig.build.json", "tsconfig.page.json"];
  await whenChanged("dist/.set-up", [dependencies, "tsconfig.json", ...projects, "lib"], () => {
    for (const project of projects)
      step("TypeScript", process.execPath, "node_modules/typescript/bin/tsc", "-p", project);
  });
});

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    stop(`Node ${process.versions.node} is too old: install Node 20.19 or newer`);
}

function step(name, command, ...args) {
  console.log(`thinktree: ${name}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) stop(`${name} failed${error ? `: ${error.message}` : ""}`);
  console.log(`thinktree: ${name}: done after ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Two set-ups at once would write the same folders: the second waits, and then finds all done. */
async function alone(lock, work) {
  for (let told = false; !taken(lock); told = true) {
    if (!told) console.log(`thinktree: another set-up is running; waiting (delete ${lock} if that is wrong)`);
    await setTimeout(200);
  }
  process.on("exit", () => rmSync(lock, { force: true }));
  await work();
}

/** The lock is a link that points at its owner's number: it appears whole. One whose owner was killed is cleared. */
function taken(lock) {
  try {
    symlinkSync(String(process.pid), lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    process.kill(Number(readlinkSync(lock)), 0);
  } catch (error) {
    if (error.code === "ESRCH") rmSync(lock, { force: true });
  }
  return false;
}

function stop(message) {
  console.error(`thinktree: ${message}`);
  process.exit(1);
}

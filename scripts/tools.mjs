// What a native build needs: programs of the machine, and packages that only a build needs, which a user who has a
// binary never downloads. Needs no installed package itself.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./files.mjs";

const packages = ["cmake-js", "node-addon-api", "node-llama-cpp"];

/** Ends the process with a line that says what to install. */
export function requireTools() {
  const works = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  const windows = process.platform === "win32"; // there CMake finds Visual Studio by itself
  for (const [tool, commands, debian] of [
    ["a C++ compiler", windows ? [] : [process.env.CXX ?? "c++"], "g++"],
    ["cmake", ["cmake"], "cmake"],
    ["make or ninja", windows ? [] : ["ninja", "make"], "make"],
    ["git", ["git"], "git"],
  ]) {
    if (commands.length === 0 || commands.some(works)) continue;
    console.error(
      `thinktree: ${tool} is missing${process.platform === "linux" ? `: on Debian, apt-get install ${debian}` : ""}`,
    );
    process.exit(1);
  }
}

/** The node_modules folder that has the packages of a build, in the versions of package.json: fetched if there is none. */
export function buildPackages() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const has = (folder) =>
    packages.every((name) => {
      const manifest = join(folder, name, "package.json");
      return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === devDependencies[name];
    });
  const tools = join(root, "build/tools");
  const fetched = join(tools, "node_modules");
  const found = [join(root, "node_modules"), dirname(root), fetched].find(has);
  if (found !== undefined) return found;

  console.log(`thinktree: fetching ${packages.join(", ")}`);
  mkdirSync(tools, { recursive: true });
  const dependencies = Object.fromEntries(packages.map((name) => [name, devDependencies[name]]));
  writeFileSync(join(tools, "package.json"), JSON.stringify({ private: true, dependencies }));
  // What is optional there is 340 MB of binaries.
  const flags = ["--ignore-scripts", "--omit=optional", "--no-package-lock", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", ["install", ...flags], {
    ...{ cwd: tools, stdio: "inherit", shell: process.platform === "win32" },
  });
  if (status === 0) return fetched;
  console.error(`thinktree: the packages of the build could not be fetched into ${tools}`);
  process.exit(1);
}

/**
 * The Electron example, compiled, in a folder of its own.
 *
 * Owns: copies under build/, where "thinktree" is this package. Must not know: what is tested.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const source = join(root, "examples", "electron");
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

/** Its sources. build/NAME is as deep as examples/electron, so that ../.. is this package from there, too. */
export function copyExample(name: string): string {
  const folder = join(root, "build", name);
  mkdirSync(folder, { recursive: true });
  for (const part of ["dist", "page"]) rmSync(join(folder, part), { recursive: true, force: true });
  const filter = (path: string) => !["dist", "node_modules"].includes(basename(path));
  cpSync(source, folder, { recursive: true, filter });
  return folder;
}

/** Compiled without a look at types: those of Electron are not there. */
export function compileExample(name: string): string {
  const folder = copyExample(name);
  for (const project of ["page", "."]) {
    execFileSync(process.execPath, [
      tsc,
      "-p",
      join(folder, project),
      "--noCheck",
      "--typeRoots",
      join(root, "node_modules/@types"),
    ]);
  }
  const modules = join(folder, "node_modules");
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(modules);
  symlinkSync(root, join(modules, "thinktree"));
  return folder;
}

/** With a stand-in of Electron beside it. */
export function installStandIn(folder: string): void {
  const electron = join(folder, "node_modules", "electron");
  mkdirSync(electron);
  for (const file of ["stand-in.cjs", "parent-port.cjs"]) {
    cpSync(fileURLToPath(new URL(file, import.meta.url)), join(electron, file));
  }
  writeFileSync(join(electron, "package.json"), JSON.stringify({ name: "electron", main: "stand-in.cjs" }));
}

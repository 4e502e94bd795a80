// What the scripts share: where the repository is, and whether an output is newer than its inputs.
import { existsSync, lstatSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The newest change below the paths, in milliseconds. Folders count too: theirs shows that a file went away. */
function newest(paths) {
  return Math.max(
    ...paths.filter(existsSync).map((path) => {
      const stat = lstatSync(path);
      const inside = stat.isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [];
      return Math.max(stat.mtimeMs, newest(inside));
    }),
  );
}

/**
 * Runs `work` unless it has succeeded since one of `inputs` last changed; paths are the repository's. Changes made while
 * it runs count as later ones.
 */
export async function whenChanged(stamp, inputs, work) {
  const file = join(root, stamp);
  const started = new Date();
  if (existsSync(file) && newest(inputs.map((path) => join(root, path))) <= lstatSync(file).mtimeMs) return;
  await work();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  utimesSync(file, started, started);
}

/** Absolute paths of the files below the folders with one of the extensions. */
export function sources(folders, extensions) {
  return folders
    .map((folder) => join(root, folder))
    .filter(existsSync)
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
    .filter((file) => extensions.includes(extname(file)))
    .sort();
}

// What the scripts share: where the repository is, and whether an output is newer than its inputs.
import { existsSync, lstatSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

/** Runs `work` unless it has succeeded since `inputs` last changed. Changes made while it runs count as later ones. */
export async function whenChanged(stamp, inputs, work) {
  const started = new Date();
  if (existsSync(stamp) && newest(inputs) <= lstatSync(stamp).mtimeMs) return;
  await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, "");
  utimesSync(stamp, started, started);
}

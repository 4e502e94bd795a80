// Makes test/golden/*.json anew: writes the checkpoints, and has the reference score them. Needs Python with
// test/golden/requirements.txt: `node scripts/write-golden.mjs path/to/python`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./files.mjs";

const [python = "python3", ...only] = process.argv.slice(2);
const compiled = join(root, "build", "golden");
const folder = mkdtempSync(join(tmpdir(), "thinktree-golden-"));
process.chdir(root);
run(
  process.execPath,
  "node_modules/typescript/bin/tsc",
  ...["--noEmit", "false", "--rootDir", "test", "--outDir", compiled, "--target", "es2023", "--module", "nodenext"],
  ...["--types", "node", "--skipLibCheck", "--ignoreConfig", "test/support/checkpoints.ts"],
);
try {
  const { checkpoints, writeCheckpoint } = await import(join(compiled, "support", "checkpoints.js"));
  for (const name of Object.keys(checkpoints)) await writeCheckpoint(folder, name);
  run(python, "test/golden/reference.py", folder, ...only);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed`, { cause: error });
}

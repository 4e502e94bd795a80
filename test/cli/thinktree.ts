/** Runs the real command line, as a process of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { fileURLToPath } from "node:url";
import { embeddedModels } from "../support/models.js";

export const mainFile = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// What the test runner sets for its own output must not reach the process under test.
const environment = { ...process.env };
for (const name of ["CI", "FORCE_COLOR", "NO_COLOR"]) delete environment[name];

export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [mainFile, ...args], { env: { ...environment, ...env } });
}

export function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

export function thinktree(args: readonly string[], { input = "", env = {} } = {}): Promise<Ended> {
  const child = start(args, env);
  child.stdin.on("error", () => undefined); // it may end without reading
  child.stdin.end(input);
  return ended(child);
}

export const models = embeddedModels();
export const modelFlags = models ? ["--generator", models.generator, "--verifier", models.verifier] : [];
/** For describe: says in the test's name why it is skipped. */
export const unlessModels = { skip: models === undefined };

export const easy = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";
export const long =
  "Lin has 5 packs with 4 pens each. She loses 6 of them. She gives 2 pens to Eva. Soon she has 5 times as many. " +
  "She loses 2 of them. She gives 4 pens to Leo. She sells 3 packs of 3 pens. Zoe gives her 6 pens. She sells 2 pens. " +
  "How many pens does Lin have now?";

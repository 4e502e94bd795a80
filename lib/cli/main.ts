#!/usr/bin/env node
/**
 * The command line's entry.
 *
 * Owns: the program, how it ends, and closed pipes.
 * Must not know: what the commands do.
 */
import { Command } from "commander";

import { benchCommand } from "./bench-command.js";
import { buildCommand } from "./build-command.js";
import { calibrateCommand } from "./calibrate-command.js";
import { demoCommand } from "./demo-command.js";
import { evaluateCommand } from "./evaluate-command.js";
import { failureOf } from "./failures.js";
import { importLoraCommand } from "./import-lora-command.js";
import { importPrmCommand } from "./import-prm-command.js";
import { inspectCommand } from "./inspect-command.js";
import { Interruption } from "./interruption.js";
import { version } from "./package-files.js";
import { paperOf } from "./paper.js";
import { reproduceCommand } from "./reproduce-command.js";
import { rolloutsCommand } from "./rollouts-command.js";
import { serveCommand } from "./serve-command.js";
import { solveCommand } from "./solve-command.js";
import { workerCommand } from "./worker-command.js";

// `thinktree ... | head` closes the pipe when it has read enough: no error, and nobody is left to write to.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
}
process.on("uncaughtException", end);

function end(error: unknown): void {
  const { line, hint, exitCode } = failureOf(error);
  const { colors } = paperOf(process.stderr);
  if (line !== "") process.stderr.write(`${colors.red("thinktree:")} ${line}${hint ? ` (${hint})` : ""}\n`);
  if (process.env["THINKTREE_DEBUG"] && error instanceof Error && line !== "") process.stderr.write(`${error.stack}\n`);
  process.exit(exitCode);
}

const program = new Command("thinktree")
  .description(
    "Makes a small local model answer like a larger one: searches a tree of solution steps under a verifier.",
  )
  .version(version, "-V, --version", "print the version")
  .helpOption("-h, --help", "print this help; after a command, its help")
  .helpCommand(false)
  .addHelpText(
    "after",
    `
Examples:
  $ thinktree demo
  $ thinktree solve "Mia has 4 bags with 6 pens each. How many pens has she?"
  $ thinktree solve --help`,
  );
const interruption = new Interruption();
for (const command of [
  solveCommand(interruption),
  evaluateCommand(interruption),
  calibrateCommand(interruption),
  rolloutsCommand(interruption),
  workerCommand(interruption),
  reproduceCommand(interruption),
  benchCommand(interruption),
  serveCommand(interruption),
  inspectCommand(),
  importPrmCommand(interruption),
  importLoraCommand(interruption),
  demoCommand(),
  buildCommand(),
])
  program.addCommand(command);
for (const command of [program, ...program.commands]) {
  // Errors are thrown and told in one place.
  command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError();
}

try {
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync();
} catch (error) {
  end(error);
}

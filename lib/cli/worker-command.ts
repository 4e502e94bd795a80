/**
 * `thinktree worker`: does the work of evaluations, calibrations and rollouts that run elsewhere.
 *
 * Owns: its flags and help; what it says when it listens and when it ends; what a signal means.
 * Must not know: how work is handed out, what it is.
 */
import { hostname } from "node:os";
import { Command } from "commander";

import { addGraderFlag, graderOf, gradersHelp, type GraderFlags } from "./grader-flag.js";
import type { Interruption } from "./interruption.js";
import { version } from "./package-files.js";
import { grouped } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { addQueueName, queueOptions, redisHelp, type QueueFlags } from "./queue-flag.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import { addModelFlags, addPolicyFlags, type ModelFlags } from "./search-flags.js";
import { duration, wholeNumber } from "./values.js";

interface WorkerFlags extends GraderFlags, ModelFlags, RemoteFlags, QueueFlags {
  readonly redis: string;
  readonly name: string;
  readonly branches: number;
  readonly takeOver: number;
}

const help = `
Examples:
  $ thinktree worker --redis redis://host:6379 --generator qwen.gguf --verifier prm.gguf
  $ thinktree calibrate --redis redis://host:6379 --generator qwen.gguf
    --verifier prm.gguf --questions train.jsonl

Start as many as there are machines, or GPUs. They wait for runs, and do them one
after the other. A worker refuses a run of other models, recipes, graders or of
another version of thinktree. docs/jobs.md says what becomes of a run when a
worker, the coordinator or Redis ends.
${gradersHelp}

Ctrl-C or SIGTERM: what is under way is done, nothing else is taken; a second
signal just ends, and others take its work over.

Exit codes:
  0    a signal ended it, and what was under way is done
  1    an unexpected error
  2    a wrong flag or file, a run that it refuses, or Redis is gone
  130  a second Ctrl-C, or one while the models load (143: SIGTERM)`;

export function workerCommand(interruption: Interruption): Command {
  const command = new Command("worker")
    .summary("do the work of evaluations, calibrations and rollouts that run elsewhere")
    .description("Listens to a queue in Redis and does what evaluate, calibrate and rollouts put there with --redis.")
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Work:")
    .requiredOption("--redis <url>", redisHelp);
  addQueueName(command)
    .option("--name <name>", "of this worker, in the coordinator's progress (default: host and process)", processName())
    .option(
      "--branches <count>",
      "more work is taken while fewer are under way (default: 64)",
      wholeNumber(1, 65_536),
      64,
    )
    .option("--take-over <span>", "when the work of one that is gone is others' (default: 30s)", duration, 30_000);
  return addPolicyFlags(addRemoteFlags(addModelFlags(addGraderFlag(command))))
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: WorkerFlags) => work(flags, interruption));
}

async function work(flags: WorkerFlags, interruption: Interruption): Promise<void> {
  const { redis, name, branches, takeOver: takeOverMs } = flags;
  const progress = new ProgressView(process.stderr);
  await using grader = graderOf(flags, []);
  await using engine = await openEngine(await engineSource(flags, undefined), progress, interruption);
  const [{ identityOf }, { workOff }] = await Promise.all([
    import("../jobs/node-identity.js"),
    import("../jobs/worker.js"), // no other command waits for it to be read
  ]);
  const node = identityOf(engine, grader, version);
  const done = await interruption.duringSearch((stop) =>
    workOff({
      ...queueOptions(redis, flags),
      ...{ engine, grader, node, name, branches, takeOverMs, stop },
      onListening: () => process.stdout.write(`thinktree: ${name} is listening\n`),
    }),
  );
  process.stdout.write(`thinktree: ${name} has ended; units done: ${grouped(done)}\n`);
}

function processName(): string {
  return `${hostname()}-${process.pid}`;
}

/**
 * --redis and --queue: the work is done by workers (`thinktree worker`), here or on other machines.
 *
 * Owns: these flags, what a coordinator loads of the models, what is shown of the workers.
 * Must not know: the commands that have them, how work is handed out.
 */
import { InvalidArgumentError, type Command } from "commander";

import type { WorkersReport } from "../jobs/coordinator.js";
import type { QueueOptions } from "../jobs/job.js";
import type { RunOptions } from "../jobs/runs.js";
import { version } from "./package-files.js";
import { grouped } from "./paper.js";
import type { RemoteFlags } from "./remote-flags.js";
import type { ModelFlags } from "./search-flags.js";

export interface QueueFlags {
  readonly redis?: string;
  readonly queue?: string;
}

export const redisHelp = "such as redis://host:6379; a password may be in THINKTREE_REDIS_PASSWORD";

export function addQueueFlags(command: Command): Command {
  return addQueueName(
    command
      .optionsGroup("Workers:")
      .option("--redis <url>", `let workers do it (thinktree worker) that listen there, ${redisHelp}`),
  );
}

export function addQueueName(command: Command): Command {
  return command.option("--queue <name>", "in that Redis, a run's at a time (default: thinktree)", queueName);
}

export function queueOptions(url: string, { queue }: QueueFlags): QueueOptions {
  const password = process.env["THINKTREE_REDIS_PASSWORD"];
  return { redis: { url, ...(password !== undefined && { password }) }, ...(queue !== undefined && { queue }) };
}

/** Of who hands the work out, the models are only asked what they are: little memory, and no GPU. */
export function coordinatorFlags<T extends ModelFlags & RemoteFlags & QueueFlags>(flags: T): T {
  if (flags.redis === undefined || flags.remote !== undefined) return flags;
  return { ...flags, kvMib: undefined, kvCells: 512, gpuLayers: 0 };
}

/** The workers of one run, if it has any. */
export class Workers {
  private latest: WorkersReport | undefined;

  constructor(private readonly flags: QueueFlags) {}

  /** Undefined if this process does the work. */
  options<Run extends Pick<RunOptions, "engine">>(run: Run) {
    const { redis } = this.flags;
    if (redis === undefined) return undefined;
    const onWorkers = (report: WorkersReport) => void (this.latest = report);
    return { ...queueOptions(redis, this.flags), ...run, version, onWorkers };
  }

  /** For the line of progress, after what else it says. */
  note(before = ""): string {
    if (this.flags.redis === undefined) return before;
    const { listening = 0, done = new Map<string, number>() } = this.latest ?? {};
    const first = before === "" ? [] : [before];
    if (listening === 0) return [...first, "no worker is listening"].join(", ");
    const busiest = [...done].sort(([, a], [, b]) => b - a);
    const named = busiest.slice(0, mostNamed).map(([name, count]) => `${name} ${grouped(count)}`);
    const others = busiest.length > mostNamed ? [`${busiest.length - mostNamed} others`] : [];
    return [...first, `${listening} listening`, ...named, ...others].join(", ");
  }
}

const mostNamed = 4;

function queueName(text: string): string {
  if (/^[\w.-]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError("Use letters, digits, points and dashes.");
}

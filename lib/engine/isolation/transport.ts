/**
 * A process beside this one, and messages to and from it.
 *
 * Owns: how it is started and ended, by Node or by Electron; what it prints, which reaches nobody's terminal: the end of it
 * is kept, to tell what it died of. Must not know: what the messages mean.
 */
import { fork } from "node:child_process";
import { createRequire } from "node:module";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import type { FromChild, ToChild } from "./protocol.js";

export interface Ending {
  /** How it ended, for a sentence: "exit code 1", "SIGKILL". */
  readonly how: string;
  /** The end of what it has printed. */
  readonly lastWords: string;
}

export interface TransportEvents {
  readonly message: (message: FromChild) => void;
  /** Once, also if it could not be started; nothing comes after it. */
  readonly ended: (ending: Ending) => void;
}

export interface Transport {
  /** Undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Lost if the process has ended. */
  send(message: ToChild): void;
  /** At once, whatever it does. */
  kill(): void;
  ref(): void;
  unref(): void;
}

// From lib/, where tests run, to dist/, where what a process can run is.
const host = fileURLToPath(new URL("../../../dist/engine/isolation/host.js", import.meta.url));

/** Electron's main process cannot fork Node: its own kind of child stands in. */
export function startChild(events: TransportEvents): Transport {
  const { versions, type } = process as NodeJS.Process & { readonly type?: string };
  if (versions["electron"] === undefined || type !== "browser") return forkNode(events);
  const { utilityProcess } = createRequire(import.meta.url)("electron") as { utilityProcess: UtilityProcesses };
  return forkUtility(utilityProcess, events);
}

function forkNode(events: TransportEvents): Transport {
  // None of the parent's own arguments: they may name its program, or the port of its debugger.
  const child = fork(host, { execArgv: [], serialization: "advanced", stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const pipes = [child.stdout!, child.stderr!];
  const words = new LastWords(pipes);
  const ended = once(events.ended);
  child.on("message", (message) => events.message(message as FromChild));
  child.on("error", (error) => {
    if (child.pid === undefined) ended({ how: error.message, lastWords: "" });
  });
  // "close" and not "exit": what it has printed is here by then.
  child.on("close", (code, signal) => ended({ how: signal ?? `exit code ${code}`, lastWords: words.text }));
  const handles = () => [child, child.channel, ...(pipes as (Readable & { ref?(): void; unref?(): void })[])];
  return {
    pid: child.pid,
    send: (message) => void child.send(message, () => undefined),
    kill: () => void child.kill("SIGKILL"),
    ref: () => handles().forEach((handle) => handle?.ref?.()),
    unref: () => handles().forEach((handle) => handle?.unref?.()),
  };
}

/** What is used of Electron's `utilityProcess`; Electron itself is no dependency. */
export interface UtilityProcesses {
  fork(module: string, args: string[], options: { stdio: "pipe"; execArgv: string[]; serviceName: string }): Utility;
}

interface Utility {
  readonly pid: number | undefined;
  readonly stdout: NodeJS.ReadableStream | null;
  readonly stderr: NodeJS.ReadableStream | null;
  postMessage(message: unknown): void;
  kill(): boolean;
  on(event: "message", listener: (message: unknown) => void): this;
  on(event: "exit", listener: (code: number) => void): this;
}

/** It neither keeps the application alive nor lets it end: Electron does not end by itself. */
export function forkUtility(utilityProcess: UtilityProcesses, events: TransportEvents): Transport {
  const options = { stdio: "pipe", execArgv: [] as string[], serviceName: "thinktree" } as const;
  const child = utilityProcess.fork(host, [], options);
  const words = new LastWords([child.stdout, child.stderr].filter((pipe) => pipe !== null));
  child.on("message", (message) => events.message(message as FromChild));
  child.on("exit", (code) => events.ended({ how: `exit code ${code}`, lastWords: words.text }));
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => child.postMessage(message),
    kill: () => {
      if (child.pid === undefined) child.kill();
      else killQuietly(child.pid);
    },
    ref: () => undefined,
    unref: () => undefined,
  };
}

/** `utilityProcess.kill` asks nicely, and a process that hangs would not hear it. */
function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

function once<T>(tell: (value: T) => void): (value: T) => void {
  let told = false;
  return (value) => {
    if (!told) tell(value);
    told = true;
  };
}

const keptCharacters = 4096;

class LastWords {
  text = "";

  constructor(pipes: readonly NodeJS.ReadableStream[]) {
    for (const pipe of pipes) {
      pipe.setEncoding("utf8");
      pipe.on("data", (chunk: string) => void (this.text = (this.text + chunk).slice(-keptCharacters)));
    }
  }
}

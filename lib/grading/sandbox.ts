/**
 * One program that nobody trusts, in a process of its own.
 *
 * Owns: the process: its limits, its empty environment, its folder, its end with all that it has started.
 * Must not know: what the program is for.
 *
 * What holds everywhere: no environment, a folder of its own that is deleted, limits on time, memory, file sizes and output,
 * and SIGKILL to the whole process group. Where Linux lets its user make namespaces, also no network, no sight of other
 * processes, and those that left the group die too. What a Python program may read and write of the file system is not
 * restricted: see docs/grading.md.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Limits {
  /** Of wall time; processor time is limited to the same, rounded up to seconds. */
  readonly milliseconds: number;
  /** Of each process. */
  readonly memoryMib: number;
}

export interface Program {
  /** From the folder it runs in, in which its file is. */
  readonly command: (folder: string) => readonly [string, ...string[]];
  readonly file?: { readonly name: string; readonly text: string };
  readonly stdin: string;
  /** Which kind of memory is limited: a JavaScript engine reserves more addresses than it will ever use. */
  readonly limitedMemory: "addresses" | "data";
}

export interface Outcome {
  /** Null if it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  /** What it wrote to its file descriptor 3. */
  readonly report: string;
}

const mostOutput = 1 << 20;
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach(kill));

/** Never rejects for what the program does. */
export async function runProgram(program: Program, limits: Limits, signal: AbortSignal): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "thinktree-code-"));
  try {
    const { file } = program;
    if (file) await writeFile(join(folder, file.name), file.text);
    return await started(program, folder, limits, signal);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function started(program: Program, folder: string, limits: Limits, signal: AbortSignal): Promise<Outcome> {
  const { milliseconds, memoryMib } = limits;
  const kibibytes = memoryMib * 1024;
  const shell = [
    `ulimit -c 0 -t ${Math.ceil(milliseconds / 1000)}`,
    `ulimit -f ${(16 << 20) / 512}`,
    `ulimit -n 64`,
    `ulimit -${program.limitedMemory === "data" ? "d" : "v"} ${kibibytes}`,
    'exec "$@"',
  ].join("; ");
  const child = spawn("/bin/sh", ["-c", shell, "sh", ...namespaces(), ...program.command(folder)], {
    cwd: folder,
    env: {},
    detached: true, // a group of its own, to be killed whole
    stdio: ["pipe", "pipe", "ignore", "pipe"],
  });
  running.add(child);
  const written = { stdout: "", report: "" };
  const collect = (stream: NodeJS.ReadableStream, name: keyof typeof written) =>
    stream.setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      if (written[name].length > mostOutput) kill(child);
    });
  collect(child.stdout!, "stdout");
  collect(child.stdio[3] as NodeJS.ReadableStream, "report");
  child.stdin!.on("error", () => undefined).end(program.stdin); // it may end without reading
  const stop = () => kill(child);
  const overdue = setTimeout(stop, milliseconds);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  return new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      kill(child); // whom it left behind
      const ended = () => resolve({ code, ...written });
      child.once("close", ended);
      setTimeout(ended, 500).unref(); // who left the group may hold its pipes open
    });
  }).finally(() => {
    clearTimeout(overdue);
    signal.removeEventListener("abort", stop);
    running.delete(child);
    for (const stream of child.stdio) stream?.destroy();
  });
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // All are gone.
  }
}

let wrapper: readonly string[] | undefined;

/** Without network and sight of other processes, all of them ended with the first; nothing where that is not allowed. */
function namespaces(): readonly string[] {
  const apart = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
  const unshare = "/usr/bin/unshare";
  const allowed = () => spawnSync(unshare, [...apart, "/bin/true"], { stdio: "ignore" }).status === 0;
  return (wrapper ??= allowed() ? [unshare, ...apart] : []);
}

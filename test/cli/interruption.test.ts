/** Signals and closed pipes. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { failureOf } from "../../lib/cli/failures.js";
import { Interrupted, Interruption } from "../../lib/cli/interruption.js";
import { easy, ended, long, modelFlags, models, start, unlessModels, type Ended } from "./thinktree.js";

/** A search too large to end by itself before the signal comes. */
async function interrupted(signal: NodeJS.Signals, flags: readonly string[]): Promise<Ended & { afterMs: number }> {
  // A signal that comes while the models load ends the process with nothing said; on a busy machine that takes a while.
  for (let delay = 1_000; ; delay *= 2) {
    const child = start(["solve", long, ...modelFlags, "--json", "--seed", "1", ...flags]);
    const end = ended(child);
    await setTimeout(delay);
    const sent = performance.now();
    child.kill(signal);
    const result = await end;
    if (result.stdout !== "" || delay > 8_000) return { ...result, afterMs: performance.now() - sent };
  }
}

describe.skipIf(unlessModels.skip)("a signal during a search (needs models/)", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it at once; with no answer yet the exit code is %i", async (signal, code) => {
    const result = await interrupted(signal, ["--strategy", "beam", "--n", "16384"]);
    expect(result).toMatchObject({ code, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ answer: null, finishReason: "stopped" });
    expect(result.afterMs).toBeLessThan(5_000);
  });

  it("prints the best answer so far, and then the exit code is 0", async () => {
    // The first solutions are whole long before the last.
    const result = await interrupted("SIGINT", ["--strategy", "majority", "--n", "20000"]);
    const found = JSON.parse(result.stdout) as { answer: string | null; finishReason: string };
    expect(found.finishReason).toBe("stopped");
    expect(result.code).toBe(found.answer === null ? 130 : 0);
  });

  it("a second one ends the process", async () => {
    const child = start([
      "solve",
      "-",
      ...modelFlags,
      "--strategy",
      "majority",
      "--n",
      "20000",
      "--temperature",
      "1.5",
    ]);
    const end = ended(child);
    await listening(child);
    child.stdin.end(long);
    await setTimeout(500);
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect([130, 143]).toContain((await end).code);
  });
});

describe("a signal before the search", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends the process with exit code %i", async (signal, code) => {
    const child = start(["solve", "-"]);
    const end = ended(child);
    await listening(child);
    child.kill(signal);
    expect(await end).toEqual({ code, stdout: "", stderr: "" });
  });
});

/** Resolves when the process reads its standard input, and so hears signals. Blanks before a question do not count. */
function listening(child: ReturnType<typeof start>): Promise<unknown> {
  const moreThanAPipeHolds = " ".repeat(1 << 20);
  return new Promise((resolve) => child.stdin.write(moreThanAPipeHolds, resolve));
}

describe("Interruption", () => {
  afterEach(() => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.removeAllListeners(signal);
    vi.restoreAllMocks();
  });

  it("tells the first signal to the search and lets the second end the process", async () => {
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const interruption = new Interruption();
    await interruption.duringSearch(async (stop) => {
      expect(stop.aborted).toBe(false);
      process.emit("SIGTERM");
      expect(stop.aborted).toBe(true);
      expect(exit).not.toHaveBeenCalled();
      process.emit("SIGTERM");
      expect(exit).toHaveBeenCalledWith(143);
    });
    expect(interruption.exitCode).toBe(143);
  });

  const kept = () => "3 of 4 are kept in a file";

  it("tells what is kept, however the work says that it was ended", async () => {
    const interruption = new Interruption();
    const ending = interruption.duringKeptWork(kept, async (stop) => {
      process.emit("SIGINT");
      stop.throwIfAborted();
    });
    const error: unknown = await ending.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Interrupted);
    const line = "stopped; 3 of 4 are kept in a file: the same command goes on from there";
    expect(failureOf(error)).toEqual({ line, exitCode: 130 });
  });

  it("leaves alone what ends by itself", async () => {
    const interruption = new Interruption();
    const broken = new Error("broken");
    await expect(interruption.duringKeptWork(kept, () => Promise.reject(broken))).rejects.toBe(broken);
  });
});

describe.skipIf(unlessModels.skip)("a closed pipe (needs models/)", () => {
  it.each([
    ["solve", ["solve", easy, ...modelFlags]],
    ["demo", ["demo", ...modelFlags, "--questions", models?.heldOut ?? "", "--count", "2"]],
  ])("is no error: %s", async (_, args) => {
    const child = start(args);
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

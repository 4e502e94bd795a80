/**
 * One life of an engine in a process of its own.
 *
 * Owns: its loading; noticing that it has died or hangs, and saying which.
 * Must not know: what it is asked, what becomes of that when it dies.
 */
import { ThinkTreeError } from "../../errors.js";
import type { EngineStats, LoadedModels, NativeCompletion } from "../addon.js";
import type { CommandBuffer } from "../codec.js";
import type { FromChild } from "./protocol.js";
import { startChild, type Ending, type Transport } from "./transport.js";

export interface ChildEvents {
  readonly loaded: (models: LoadedModels) => void;
  readonly completed: (completions: readonly NativeCompletion[]) => void;
  /** Once, unless it was ended from here. ENGINE_CRASHED, ENGINE_HUNG, or why the models do not load. */
  readonly died: (error: ThinkTreeError) => void;
  /** Whether it has been asked something that it has not answered. */
  readonly working: () => boolean;
}

/** Looks at it in the time in which it would be taken for hung, so that a pause of this whole process is one of them at most. */
const looks = 4;
const slowestBeatMs = 1000;

export class Child {
  /** The last that it has told; `stats` asks for newer ones. */
  private known: EngineStats | undefined;
  private asked = false;
  private readonly transport: Transport;
  private readonly watchdog: NodeJS.Timeout;
  private readonly ended: Promise<void>;
  private whyKilled: ThinkTreeError | undefined;
  private ending = false;

  constructor(
    options: object,
    private readonly hangMs: number,
    private readonly events: ChildEvents,
  ) {
    let end!: () => void;
    this.ended = new Promise((resolve) => (end = resolve));
    this.transport = startChild({
      message: (message) => this.hear(message),
      ended: (ending) => {
        clearInterval(this.watchdog);
        end();
        if (!this.ending) events.died(this.whyKilled ?? crashed(ending));
      },
    });
    const beatMs = Math.min(slowestBeatMs, hangMs / looks / 2);
    this.transport.send({ kind: "load", options, beatMs });
    this.watchdog = setInterval(this.watch(), hangMs / looks);
    this.watchdog.unref();
  }

  submit(commands: CommandBuffer): void {
    if (commands.empty) return;
    const [numbers, strings] = commands.take();
    this.transport.send({ kind: "submit", numbers, strings });
  }

  /** As of its last message; a newer one is asked for. */
  stats(): EngineStats | undefined {
    if (!this.asked) this.transport.send({ kind: "beat" });
    this.asked = true;
    return this.known;
  }

  ref(): void {
    this.transport.ref();
  }

  unref(): void {
    this.transport.unref();
  }

  /** Resolves when the process is no more. */
  end(): Promise<void> {
    this.ending = true;
    this.transport.ref(); // whoever waits for it is to be answered
    this.transport.kill();
    return this.ended;
  }

  private hear(message: FromChild): void {
    if (this.ending || this.whyKilled !== undefined) return;
    if (message.kind === "event" || message.kind === "beat") this.known = message.stats;
    if (message.kind === "beat") this.asked = false;
    if (message.kind === "refused") this.kill(new ThinkTreeError(message.code, message.message));
    if (message.kind !== "event") return;
    const [kind, value] = message.event;
    if (kind === "loaded") this.events.loaded(value);
    else if (kind === "failed") this.kill(new ThinkTreeError(value.code, value.message));
    else this.events.completed(value);
  }

  private kill(why: ThinkTreeError): void {
    this.whyKilled = why;
    this.transport.kill();
  }

  private watch(): () => void {
    let [seen, silent] = [-1, 0];
    return () => {
      const progress = this.known?.progress ?? -1;
      silent = this.events.working() && progress === seen ? silent + 1 : 0;
      seen = progress;
      if (silent >= looks) this.kill(hung(this.hangMs));
    };
  }
}

function crashed({ how, lastWords }: Ending): ThinkTreeError {
  const line = lastWords.trimEnd().split("\n").at(-1)?.slice(0, 200) ?? "";
  const message = `the engine's process ended (${how})${line === "" ? "" : `: ${line}`}`;
  return new ThinkTreeError("ENGINE_CRASHED", message, lastWords === "" ? undefined : { cause: new Error(lastWords) });
}

function hung(ms: number): ThinkTreeError {
  return new ThinkTreeError(
    "ENGINE_HUNG",
    `the engine gave no sign of life for ${ms} ms and was ended; if it is only slow, raise isolation.hangMilliseconds`,
  );
}

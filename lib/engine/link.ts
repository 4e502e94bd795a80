/**
 * Where an engine's commands go and its events come from.
 *
 * Owns: the choice between the addon in this process and one in a process of its own.
 * Must not know: what the commands are for.
 */
import { createNativeEngine, type EngineStats, type NativeEvent } from "./addon.js";
import { CommandBuffer, type Command } from "./codec.js";
import { IsolatedEngine } from "./isolation/isolated-engine.js";
import type { ResolvedOptions } from "./options.js";

export interface Link {
  submit(commands: readonly Command[]): void;
  stats(): EngineStats;
  close(): Promise<void>;
  /** Whether it keeps the process alive. It does at first. */
  ref(): void;
  unref(): void;
}

/** `onEvent`: "loaded" or "failed" once, then "completed", never before this returns. @throws {ThinkTreeError} INTERNAL */
export function openLink({ engine, isolation }: ResolvedOptions, onEvent: (...event: NativeEvent) => void): Link {
  if (isolation !== undefined) return new IsolatedEngine(engine, isolation, onEvent);
  const native = createNativeEngine(engine, onEvent);
  return {
    submit(commands) {
      const buffer = new CommandBuffer();
      for (const command of commands) command(buffer);
      native.submit(...buffer.take());
    },
    stats: () => native.stats(),
    close: () => native.close(),
    ref: () => native.ref(),
    unref: () => native.unref(),
  };
}

/**
 * Requests to the native engine and their answers.
 *
 * Owns: one crossing a microtask, whatever was asked in it; the promises that are open; keeping the process alive
 * exactly while some are. Must not know: trees, strategies.
 */
import { ThinkTreeError } from "../errors.js";
import {
  createNativeEngine,
  type EngineStats,
  type LoadedModels,
  type NativeCompletion,
  type NativeEngine,
} from "./addon.js";
import { CommandBuffer } from "./codec.js";

interface Pending {
  readonly resolve: (completion: NativeCompletion) => void;
  readonly reject: (error: ThinkTreeError) => void;
}

export class Channel {
  private readonly native: NativeEngine;
  private readonly commands = new CommandBuffer();
  private readonly pending = new Map<number, Pending>();
  private nextRequest = 1;
  private nextId = 1;
  private scheduled = false;
  private closing: Promise<void> | undefined;

  /** Resolves when the models are loaded. */
  static async open(options: object): Promise<[Channel, LoadedModels]> {
    let channel: Channel | undefined;
    const models = await new Promise<LoadedModels>((resolve, reject) => {
      channel = new Channel(options, resolve, reject);
    }).catch(async (error: unknown) => {
      await channel?.close();
      throw error;
    });
    if (channel === undefined) throw new ThinkTreeError("INTERNAL", "the engine vanished while loading");
    channel.native.unref();
    return [channel, models];
  }

  private constructor(
    options: object,
    loaded: (models: LoadedModels) => void,
    failed: (error: ThinkTreeError) => void,
  ) {
    this.native = createNativeEngine(options, (...[kind, value]) => {
      if (kind === "loaded") loaded(value);
      else if (kind === "failed") failed(new ThinkTreeError(value.code, value.message));
      else for (const completion of value) this.settle(completion);
    });
  }

  /** Ids of searches and branches are chosen on this side, so that making one needs no answer. */
  allocateIds(count: number): number {
    const first = this.nextId;
    this.nextId += count;
    return first;
  }

  /** A command that has no answer. */
  send(write: (commands: CommandBuffer) => void): void {
    if (this.closing !== undefined) return;
    write(this.commands);
    this.schedule();
  }

  /** A command that has one. @throws {ThinkTreeError} what the native engine says; ENGINE_CLOSED after close. */
  request(write: (commands: CommandBuffer, request: number) => void): Promise<NativeCompletion> {
    if (this.closing !== undefined) return Promise.reject(closed());
    const request = this.nextRequest++;
    write(this.commands, request);
    this.schedule();
    return new Promise((resolve, reject) => {
      if (this.pending.size === 0) this.native.ref();
      this.pending.set(request, { resolve, reject });
    });
  }

  stats(): EngineStats {
    return this.native.stats();
  }

  /** Open requests fail with ENGINE_CLOSED. Resolves when everything the engine held is freed. */
  close(): Promise<void> {
    this.closing ??= this.native.close().then(() => {
      for (const { reject } of this.pending.values()) reject(closed());
      this.pending.clear();
    });
    return this.closing;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      if (!this.commands.empty && this.closing === undefined) this.native.submit(...this.commands.take());
    });
  }

  private settle(completion: NativeCompletion): void {
    const waiting = this.pending.get(completion.request);
    if (waiting === undefined) return;
    this.pending.delete(completion.request);
    if (this.pending.size === 0) this.native.unref();
    if (completion.code === undefined) waiting.resolve(completion);
    else waiting.reject(new ThinkTreeError(completion.code, completion.message ?? completion.code));
  }
}

function closed(): ThinkTreeError {
  return new ThinkTreeError("ENGINE_CLOSED", "the engine was closed");
}

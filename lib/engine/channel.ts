/**
 * Requests to the native engine and their answers.
 *
 * Owns: one crossing a microtask, whatever was asked in it; the promises that are open; keeping the process alive
 * exactly while some are. Must not know: trees, strategies.
 */
import { ThinkTreeError, type ErrorCode } from "../errors.js";
import type { EngineStats, LoadedModels, NativeCompletion, NativeFailure } from "./addon.js";
import type { Command, Commands } from "./codec.js";
import { openLink, type Link } from "./link.js";
import type { ResolvedOptions } from "./options.js";

interface Pending {
  readonly resolve: (completion: NativeCompletion) => void;
  readonly reject: (error: ThinkTreeError) => void;
}

export class Channel {
  private readonly link: Link;
  private commands: Command[] = [];
  private readonly pending = new Map<number, Pending>();
  private nextRequest = 1;
  private nextId = 1;
  private scheduled = false;
  private closing: Promise<void> | undefined;

  /** Resolves when the models are loaded. */
  static async open(options: ResolvedOptions): Promise<[Channel, LoadedModels]> {
    let channel: Channel | undefined;
    const models = await new Promise<LoadedModels>((resolve, reject) => {
      channel = new Channel(options, resolve, reject);
    }).catch(async (error: unknown) => {
      await channel?.close();
      throw error;
    });
    if (channel === undefined) throw new ThinkTreeError("INTERNAL", "the engine vanished while loading");
    channel.link.unref();
    return [channel, models];
  }

  private constructor(
    options: ResolvedOptions,
    loaded: (models: LoadedModels) => void,
    failed: (error: ThinkTreeError) => void,
  ) {
    this.link = openLink(options, (...[kind, value]) => {
      if (kind === "loaded") loaded(value);
      else if (kind === "failed") failed(errorOf(value.code, value));
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
  send(command: Command): void {
    if (this.closing !== undefined) return;
    this.commands.push(command);
    this.schedule();
  }

  /** A command that has one. @throws {ThinkTreeError} what the native engine says; ENGINE_CLOSED after close. */
  request(write: (commands: Commands, request: number) => void): Promise<NativeCompletion> {
    if (this.closing !== undefined) return Promise.reject(closed());
    const request = this.nextRequest++;
    this.commands.push((commands) => write(commands, request));
    this.schedule();
    return new Promise((resolve, reject) => {
      if (this.pending.size === 0) this.link.ref();
      this.pending.set(request, { resolve, reject });
    });
  }

  stats(): EngineStats {
    return this.link.stats();
  }

  /** Open requests fail with ENGINE_CLOSED. Resolves when everything the engine held is freed. */
  close(): Promise<void> {
    this.closing ??= this.link.close().then(() => {
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
      const commands = this.commands;
      this.commands = [];
      if (this.closing === undefined) this.link.submit(commands);
    });
  }

  private settle(completion: NativeCompletion): void {
    const waiting = this.pending.get(completion.request);
    if (waiting === undefined) return;
    this.pending.delete(completion.request);
    if (this.pending.size === 0) this.link.unref();
    if (completion.code === undefined) waiting.resolve(completion);
    else waiting.reject(errorOf(completion.code, completion));
  }
}

function closed(): ThinkTreeError {
  return new ThinkTreeError("ENGINE_CLOSED", "the engine was closed");
}

function errorOf(code: ErrorCode, { message = code, cause }: Partial<NativeFailure>): ThinkTreeError {
  return new ThinkTreeError(code, message, cause === undefined ? undefined : { cause });
}

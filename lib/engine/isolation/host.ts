/**
 * The program of an engine's own process: the addon, and nothing that knows what it is used for.
 *
 * Owns: handing messages over in both directions; signs of life; ending with its parent.
 * Must not know: searches, why it may have to end.
 */
import { createNativeEngine, inspectNatively, metadataTexts, type NativeEngine } from "../addon.js";
import { ThinkTreeError } from "../../errors.js";
import type { FileCall, FromChild, ToChild } from "./protocol.js";

interface ElectronPort {
  on(event: "message", listener: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
}

const electron = (process as NodeJS.Process & { readonly parentPort?: ElectronPort }).parentPort;

function send(message: FromChild): void {
  if (electron !== undefined) electron.postMessage(message);
  else process.send?.(message);
}

function listen(listener: (message: ToChild) => void): void {
  if (electron !== undefined) {
    electron.on("message", ({ data }) => listener(data as ToChild));
    return;
  }
  process.on("message", listener);
  // The parent has ended, however it did. Nothing here is worth a clean end, which a decode that hangs would not reach.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // They reach the whole group of a terminal or a service, and are the parent's to answer.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
}

let native: NativeEngine | undefined;

function load(options: object, beatMs: number): void {
  const engine = createNativeEngine({ ...options, restorable: true }, (...event) =>
    send({ kind: "event", event, stats: engine.stats() }),
  );
  native = engine;
  let told = -1;
  setInterval(() => {
    const stats = engine.stats();
    if (stats.progress === told) return;
    told = stats.progress;
    send({ kind: "beat", stats });
  }, beatMs);
}

function call(name: FileCall): Promise<unknown> {
  return name[0] === "inspect" ? inspectNatively(name[1], name[2], name[3]) : metadataTexts(name[1]);
}

async function refusing(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    const { message } = error as Error;
    send({ kind: "refused", code: ThinkTreeError.isInstance(error) ? error.code : "INTERNAL", message });
  }
}

listen((message) => {
  switch (message.kind) {
    case "load":
      return void refusing(() => load(message.options, message.beatMs));
    case "submit":
      return native?.submit(message.numbers, message.strings);
    case "beat":
      if (native !== undefined) send({ kind: "beat", stats: native.stats() });
      return;
    case "call":
      return void refusing(async () => send({ kind: "returned", value: await call(message.call) }));
  }
});

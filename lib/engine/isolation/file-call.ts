/**
 * Reading a model's file in a process that is started for it: the file may be hostile.
 *
 * Owns: that process's one task. Must not know: what is read.
 */
import { ThinkTreeError } from "../../errors.js";
import type { FileCall } from "./protocol.js";
import { startChild } from "./transport.js";

/** @throws {ThinkTreeError} ENGINE_CRASHED; and what the call itself throws */
export async function callInProcess(call: FileCall): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = startChild({
      message(message) {
        if (message.kind === "returned") resolve(message.value);
        else if (message.kind === "refused") reject(new ThinkTreeError(message.code, message.message));
        child.kill();
      },
      // Without effect after an answer.
      ended: ({ how }) =>
        reject(new ThinkTreeError("ENGINE_CRASHED", `the process that read ${call[1]} ended (${how}): do not load it`)),
    });
    child.send({ kind: "call", call });
  });
}

/**
 * What a GGUF file says of itself, read in this process or in one of its own.
 *
 * Owns: that choice. Must not know: what is made of it.
 */
import { inspectNatively, metadataTexts, type NativeInspection } from "./addon.js";
import { callInProcess } from "./isolation/file-call.js";

export interface FileReader {
  readonly inspect: typeof inspectNatively;
  readonly metadataTexts: typeof metadataTexts;
}

const here: FileReader = { inspect: inspectNatively, metadataTexts };

const elsewhere: FileReader = {
  inspect: async (path, cells, branches) =>
    (await callInProcess(["inspect", path, cells, branches])) as NativeInspection,
  metadataTexts: async (path) => (await callInProcess(["metadata", path])) as ReadonlyMap<string, string>,
};

export function fileReader(isolation?: "process"): FileReader {
  return isolation === "process" ? elsewhere : here;
}

/**
 * Which models a policy was fitted for.
 *
 * Owns: telling one model from another, quickly and whatever its files' names.
 * Must not know: policies.
 */
import { createHash, type Hash } from "node:crypto";
import { open } from "node:fs/promises";

import type { ModelFile } from "../engine/options.js";

const edge = 1 << 20;

/** Of the file, and of its adapters with their scales, in any order; those that change nothing do not count. */
export async function fingerprintOf({ path, adapters }: ModelFile): Promise<string> {
  const own = await fingerprintOfFile(path);
  const active = adapters.filter(({ scale }) => scale !== 0);
  if (active.length === 0) return own;
  const others = await Promise.all(active.map(async (one) => `${await fingerprintOfFile(one.path)} ${one.scale}`));
  return named(createHash("sha256").update([own, ...others.sort()].join("\n")));
}

/** SHA-256 of the file's size, its first and its last mebibyte: metadata, vocabulary, and weights at both ends. */
async function fingerprintOfFile(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256").update(`${size}\n`);
    for (const start of [0, Math.max(0, size - edge)]) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(edge, size)), 0, Math.min(edge, size), start);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return named(hash);
  } finally {
    await file.close();
  }
}

function named(hash: Hash): string {
  return `sha256:${hash.digest("hex").slice(0, 32)}`;
}

/**
 * The machine that figures are from.
 *
 * Owns: what is told of it. Nothing by which it or its user could be recognised: no host name, no path.
 * Must not know: what is measured.
 */
import { arch, cpus, release, totalmem, type } from "node:os";

import { binary } from "../engine/binary.js";

export interface Machine {
  readonly cpu: string;
  /** Logical ones. */
  readonly cores: number;
  readonly memoryGib: number;
  /** Name and version number, such as "Linux 6.8.0 x64". */
  readonly os: string;
  readonly node: string;
  /** Of the addon: "native", or a published one for such CPUs. */
  readonly binary: string;
  /** What others used of all cores just before, in [0, 1]. */
  readonly busyShare: number;
}

export function machineOf(busyShare: number): Machine {
  const [cpu] = cpus();
  // Whoever builds a kernel may name it after the machine; the number comes first.
  const [version = ""] = /^[\d.]*\d/.exec(release()) ?? [];
  return {
    cpu: cpu?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${version} ${arch()}`,
    node: process.version,
    binary: binary().name,
    busyShare,
  };
}

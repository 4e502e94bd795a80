/**
 * The processes of isolated engines, as the system sees them.
 *
 * Owns: finding a process's own. Must not know: what is tested. Linux.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Process ids of the engines that `parent` has started and that are no zombies. */
export function engineProcesses(parent: number = process.pid): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return Number(parentPid) === parent && state !== "Z" && isHost(pid);
      } catch {
        return false; // it has ended meanwhile
      }
    })
    .map(Number);
}

function isHost(pid: string): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("isolation/host.js");
}

export function isAlive(pid: number): boolean {
  try {
    return isHost(String(pid));
  } catch {
    return false;
  }
}

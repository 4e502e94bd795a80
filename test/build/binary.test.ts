/** Which binary is loaded: of packages as they are installed, with the probe as it is built. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { findBinary, loadAddon } from "../../lib/engine/binary.js";
import { cpuFeatures, type CpuRegisters } from "../../lib/engine/cpu.js";

const platform = `${process.platform}-${process.arch}`;
const probe = "build/Release/cpu.node";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thinktree-binary-"));
  writeFileSync(join(folder, "package.json"), "{}");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function install(needs: Record<string, string[]>, kind = ""): string {
  const path = join(folder, "node_modules/@thinktree", `${platform}${kind}`);
  mkdirSync(path, { recursive: true });
  const variants = Object.entries(needs).map(([name, needs]) => ({ name, file: `thinktree-${name}.node`, needs }));
  writeFileSync(join(path, "package.json"), JSON.stringify({ variants }));
  cpSync(probe, join(path, "cpu.node"));
  return path;
}

describe("the binary", () => {
  it("is the first of the platform's package that this CPU can run", () => {
    const path = install({ later: ["a-feature-of-the-future"], these: [], older: [] });
    const found = { file: join(path, "thinktree-these.node"), name: `${platform} these` };
    expect(findBinary(folder, undefined)).toEqual(found);
    expect(findBinary(folder, "older").name).toBe(`${platform} older`);
    expect(() => findBinary(folder, "later")).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(/no a-feature-of-the-future/) as string }),
    );
  });

  it("is that for GPUs, where somebody has installed it", () => {
    install({ these: [] });
    install({ these: [] }, "-cuda");
    expect(findBinary(folder, undefined).name).toBe(`${platform}-cuda these`);
  });

  it("is the one built from source before all others, unless another is asked for", () => {
    install({ these: [] });
    const built = join(folder, "build/Release/thinktree.node");
    mkdirSync(join(folder, "build/Release"), { recursive: true });
    writeFileSync(built, "");
    for (const asked of [undefined, "native"]) expect(findBinary(folder, asked)).toEqual({ file: built, name: "native" });
    expect(findBinary(folder, "these").name).toBe(`${platform} these`);
  });

  it.each([
    ["where no package is installed", undefined, /no binary for .* is installed: run "npx thinktree build"/],
    ["where the source's is asked for and nothing is built", "native", /nothing is built: run "npx thinktree build"/],
  ])("is missing %s, and an error says what to do", (_, asked, message) => {
    if (asked !== undefined) install({ these: [] });
    expect(() => findBinary(folder, asked)).toThrow(
      expect.objectContaining({ code: "NO_BINARY", message: expect.stringMatching(message) as string }),
    );
  });

  it("that cannot be loaded ends in an error that says what to do", () => {
    const file = join(folder, "thinktree.node");
    writeFileSync(file, "not for this system");
    expect(() => loadAddon(file)).toThrow(
      expect.objectContaining({ code: "NO_BINARY", message: expect.stringMatching(/npx thinktree build/) as string }),
    );
  });
});

it.runIf(platform === "linux-x64")("the probe sees in the registers what Linux says of the CPU", () => {
  const { registers } = loadAddon<{ registers: () => CpuRegisters }>(join(process.cwd(), probe));
  const features = cpuFeatures(registers(), platform);
  const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
  const names = new Map(flags.trim().split(" ").map((flag) => [flag.replace(/[_-]/g, ""), flag]));
  const everyBit = Object.fromEntries(Object.keys(registers()).map((name) => [name, 2 ** 32 - 1]));
  for (const feature of cpuFeatures(everyBit, platform)) {
    expect([feature, features.has(feature)]).toEqual([feature, names.has(feature.replaceAll("-", ""))]);
  }
});

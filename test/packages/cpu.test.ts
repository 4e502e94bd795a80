/** What a CPU can do, and which of the published binaries it gets. */
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { chooseVariant, cpuFeatures, type CpuRegisters, type Variant } from "../../lib/engine/cpu.js";

const bits = (...all: number[]) => all.reduce((sum, bit) => sum + 2 ** bit, 0); // unsigned, as the registers come

const avx2 = { leaf1Ecx: bits(12, 27, 28, 29), leaf7Ebx: bits(5, 8), xcr0: bits(0, 1, 2) };
const avx512 = { leaf7Ebx: bits(5, 8, 16, 17, 28, 30, 31), leaf7Ecx: bits(11) };
const sapphireRapids = {
  ...{ ...avx2, ...avx512, leaf7Ecx: bits(1, 11), leaf7Edx: bits(22, 24, 25) },
  ...{ leaf7Sub1Eax: bits(4, 5), xcr0: bits(0, 1, 2, 5, 6, 7, 9, 17, 18) },
};
const kept512 = bits(0, 1, 2, 5, 6, 7);
const machines: Record<string, CpuRegisters> = {
  "Sapphire Rapids": sapphireRapids,
  "Sapphire Rapids under a system without AMX": { ...sapphireRapids, xcr0: kept512 },
  "Sapphire Rapids under a system without AVX-512": { ...sapphireRapids, xcr0: bits(0, 1, 2) },
  "Cascade Lake": { ...avx2, ...avx512, xcr0: kept512 },
  "Skylake-X, which has no VNNI": { ...avx2, ...avx512, leaf7Ecx: 0, xcr0: kept512 },
  "Alder Lake": { ...avx2, leaf7Sub1Eax: bits(4) },
  Haswell: avx2,
};

const root = new URL("../../", import.meta.url);
const known = JSON.parse(readFileSync(new URL("native/cmake/cpu_variants.json", root), "utf8")) as Record<
  string,
  Record<string, string[]>
>;
const { platforms } = (await import(new URL("scripts/packages.mjs", root).href)) as {
  platforms: Record<string, string[]>;
};
const variantsOf = (platform: string): Variant[] =>
  platforms[platform]!.map((name) => ({ name, needs: known[platform.split("-")[1]!]![name]! }));
const linux = variantsOf("linux-x64");

describe("the binary for a CPU", () => {
  it.each([
    ["Sapphire Rapids", "amx"],
    ["Sapphire Rapids under a system without AMX", "avx512"],
    ["Sapphire Rapids under a system without AVX-512", "avxvnni"],
    ["Cascade Lake", "avx512"],
    ["Skylake-X, which has no VNNI", "avx2"],
    ["Alder Lake", "avxvnni"],
    ["Haswell", "avx2"],
  ])("of %s is that for %s", (machine, name) => {
    expect(chooseVariant(linux, cpuFeatures(machines[machine]!, "linux-x64"), undefined).name).toBe(name);
  });

  it.each([
    ["Ivy Bridge", { leaf1Ecx: bits(27, 28, 29), xcr0: bits(0, 1, 2) }, /no avx2, fma, bmi2,.*npx thinktree build/],
    ["a system that keeps no AVX registers", { ...avx2, xcr0: bits(0, 1) }, /no avx2, fma, f16c, which/],
    ["a CPU that says nothing", {}, /no avx2, fma, f16c, bmi2/],
  ])("there is none for %s, and an error says what to do", (_, registers, message) => {
    const choose = () => chooseVariant(linux, cpuFeatures(registers, "linux-x64"), undefined);
    expect(choose).toThrow(
      expect.objectContaining({ code: "NO_BINARY", message: expect.stringMatching(message) as string }),
    );
  });

  it("may be asked for, if the CPU can run it", () => {
    const features = cpuFeatures(machines["Alder Lake"]!, "linux-x64");
    expect(chooseVariant(linux, features, "avx2").name).toBe("avx2");
    for (const [asked, message] of [
      ["avx512", /has no avx512f,.*run here: avxvnni, avx2$/],
      ["sse2", /there is no such binary.*run here: avxvnni, avx2$/],
    ] as const) {
      expect(() => chooseVariant(linux, features, asked)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) as string }),
      );
    }
  });

  it("on arm64 needs the dot products that Apple's chips and newer ones of others have", () => {
    const variants = variantsOf("linux-arm64");
    expect(chooseVariant(variants, cpuFeatures({ hwcap: bits(0, 1, 20) }, "linux-arm64"), undefined).name).toBe(
      "dotprod",
    );
    expect(chooseVariant(variants, cpuFeatures({}, "darwin-arm64"), undefined).name).toBe("dotprod");
    expect(() => chooseVariant(variants, cpuFeatures({ hwcap: bits(0, 1) }, "linux-arm64"), undefined)).toThrow(
      /dotprod/,
    );
  });
});

it("is made for every platform's CPUs, and the best comes first", () => {
  for (const platform of Object.keys(platforms)) {
    const variants = variantsOf(platform);
    expect(variants.every(({ needs }) => Array.isArray(needs) && needs.length > 0)).toBe(true);
    for (const [i, { needs }] of variants.entries()) {
      // None is passed over for a lesser one.
      for (const { needs: later } of variants.slice(i + 1))
        expect(needs.every((need) => later.includes(need))).toBe(false);
    }
  }
});

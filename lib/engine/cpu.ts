/**
 * What a CPU can do, and which of several binaries it can run.
 *
 * Owns: what the registers mean that bindings/cpu reads; the choice. Pure.
 * Must not know: where binaries lie.
 */
import { ThinkTreeError } from "../errors.js";

/** As the CPU and the system give them; those of other architectures are not there. */
export interface CpuRegisters {
  readonly leaf1Ecx?: number;
  readonly leaf7Ebx?: number;
  readonly leaf7Ecx?: number;
  readonly leaf7Edx?: number;
  readonly leaf7Sub1Eax?: number;
  /** The registers that the operating system keeps from one thread to the next. */
  readonly xcr0?: number;
  /** Linux on arm64. */
  readonly hwcap?: number;
}

/** A binary of a package. */
export interface Variant {
  readonly name: string;
  /** Features as `cpuFeatures` names them; native/cmake/cpu_variants.json has them all. */
  readonly needs: readonly string[];
}

// Intel's Software Developer's Manual, vol. 1, ch. 13 and vol. 2, CPUID; names are those of GCC's -m flags.
const avxState = 0b110;
const avx512State = 0b1110_0000 | avxState;
const amxState = 0b11 << 17;
const x64: readonly [name: string, register: keyof CpuRegisters, bit: number, state: number][] = [
  ["fma", "leaf1Ecx", 12, avxState],
  ["f16c", "leaf1Ecx", 29, avxState],
  ["avx2", "leaf7Ebx", 5, avxState],
  ["bmi2", "leaf7Ebx", 8, 0],
  ["avxvnni", "leaf7Sub1Eax", 4, avxState],
  ["avx512f", "leaf7Ebx", 16, avx512State],
  ["avx512dq", "leaf7Ebx", 17, avx512State],
  ["avx512cd", "leaf7Ebx", 28, avx512State],
  ["avx512bw", "leaf7Ebx", 30, avx512State],
  ["avx512vl", "leaf7Ebx", 31, avx512State],
  ["avx512vbmi", "leaf7Ecx", 1, avx512State],
  ["avx512vnni", "leaf7Ecx", 11, avx512State],
  ["avx512bf16", "leaf7Sub1Eax", 5, avx512State],
  ["amx-tile", "leaf7Edx", 24, amxState],
  ["amx-int8", "leaf7Edx", 25, amxState],
];
const hwcapDotprod = 20; // HWCAP_ASIMDDP of Linux's asm/hwcap.h

export function cpuFeatures(registers: CpuRegisters, platform: string): ReadonlySet<string> {
  const has = (register: keyof CpuRegisters, bit: number) => (((registers[register] ?? 0) >>> bit) & 1) === 1;
  const kept = registers.xcr0 ?? 0;
  const features = x64.filter(([, register, bit, state]) => has(register, bit) && (kept & state) === state);
  // All of Apple's arm64 chips have it.
  const dotprod = has("hwcap", hwcapDotprod) || platform === "darwin-arm64";
  return new Set([...features.map(([name]) => name), ...(dotprod ? ["dotprod"] : [])]);
}

/**
 * The first that the CPU can run, or the one that is asked for.
 * @throws {ThinkTreeError} NO_BINARY: none fits; INVALID_OPTION: the one asked for does not, or there is none
 */
export function chooseVariant<V extends Variant>(
  variants: readonly V[],
  features: ReadonlySet<string>,
  asked: string | undefined,
): V {
  const lacks = ({ needs }: Variant) => needs.filter((need) => !features.has(need)).join(", ");
  const fitting = variants.filter((variant) => lacks(variant) === "");
  if (asked !== undefined) {
    const named = variants.find(({ name }) => name === asked);
    if (named !== undefined && fitting.includes(named)) return named;
    const why = named === undefined ? "there is no such binary" : `this CPU has no ${lacks(named)}`;
    const names = fitting.map(({ name }) => name).join(", ") || "none";
    throw new ThinkTreeError("INVALID_OPTION", `THINKTREE_CPU is "${asked}": ${why}; that run here: ${names}`);
  }
  const [best] = fitting;
  if (best !== undefined) return best;
  const least = variants.at(-1);
  throw new ThinkTreeError(
    "NO_BINARY",
    `this CPU has no ${least === undefined ? "binary" : lacks(least)}, which every published binary needs; ` +
      'run "npx thinktree build", which makes one for this machine (with a C++ compiler, cmake and git)',
  );
}

/**
 * The addon's binary: the one built here, or that of a platform's package which suits the CPU.
 *
 * Owns: where binaries lie, which one it is to be. Must not know: what is in one.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { ThinkTreeError } from "../errors.js";
import { chooseVariant, cpuFeatures, type CpuRegisters, type Variant } from "./cpu.js";

export interface Binary {
  /** The .node file. */
  readonly file: string;
  /** As package and CPU have it, such as "linux-x64 avx512"; "native": built from source, for the machine it was built on. */
  readonly name: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const native = "native";
const build = 'run "npx thinktree build" (with a C++ compiler, cmake and git)';
let found: Binary | undefined;

/**
 * The one that this process runs, or would. $THINKTREE_CPU asks for another: "native", or a CPU that the package has a
 * binary for (amx, avx512, avxvnni, avx2).
 * @throws {ThinkTreeError} NO_BINARY: there is none for this machine; INVALID_OPTION: none that was asked for
 */
export function binary(): Binary {
  return (found ??= findBinary(root, process.env["THINKTREE_CPU"]));
}

/** `folder`: the package's own. For its tests; what `binary` finds stays the same. */
export function findBinary(folder: string, asked: string | undefined): Binary {
  const built = join(folder, "build/Release/thinktree.node");
  if (existsSync(built) && (asked ?? native) === native) return { file: built, name: native };
  const installed = platformPackage(folder);
  if (installed === undefined || asked === native) {
    const platform = `${process.platform}-${process.arch}`;
    const what =
      asked === native ? 'THINKTREE_CPU is "native", and nothing is built' : `no binary for ${platform} is installed`;
    throw new ThinkTreeError("NO_BINARY", `${what}: ${build}, or install without --omit=optional`);
  }
  const { path, platform, variants } = installed;
  const { name, file } = chooseVariant(variants, featuresOf(join(path, "cpu.node")), asked);
  return { file: join(path, file), name: `${platform} ${name}` };
}

interface PlatformPackage {
  readonly path: string;
  readonly platform: string;
  readonly variants: readonly (Variant & { readonly file: string })[];
}

/** A CUDA package is there only if somebody has asked for it. */
function platformPackage(folder: string): PlatformPackage | undefined {
  const require = createRequire(join(folder, "package.json"));
  for (const platform of ["-cuda", ""].map((kind) => `${process.platform}-${process.arch}${kind}`)) {
    let manifest: string;
    try {
      manifest = require.resolve(`@thinktree/${platform}/package.json`);
    } catch {
      continue;
    }
    const { variants } = JSON.parse(readFileSync(manifest, "utf8")) as Pick<PlatformPackage, "variants">;
    return { path: dirname(manifest), platform, variants };
  }
  return undefined;
}

function featuresOf(probe: string): ReadonlySet<string> {
  const { registers } = loadAddon<{ registers: () => CpuRegisters }>(probe);
  return cpuFeatures(registers(), `${process.platform}-${process.arch}`);
}

/** @throws {ThinkTreeError} NO_BINARY: it is not for this system */
export function loadAddon<T>(file: string): T {
  try {
    return createRequire(import.meta.url)(file) as T;
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ThinkTreeError("NO_BINARY", `${file} cannot be loaded here (${why}): ${build}`, { cause });
  }
}

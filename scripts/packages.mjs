// What is published: which packages there are, and what their manifests say; scripts/pack.mjs makes them.
//
//   thinktree                     TypeScript's output twice (ESM and CommonJS), and the addon's source for `thinktree build`
//   @thinktree/models             the embedded models, a dependency of it
//   @thinktree/PLATFORM           the addon, once for each kind of CPU: optional dependencies of it, of which one fits
//   @thinktree/linux-x64-cuda     the same for a GPU: whoever wants it names it

/** Kinds of CPUs, best first: of native/cmake/cpu_variants.json. MSVC has no AMX; AVX-VNNI there was never tried. */
export const platforms = {
  "linux-x64": ["amx", "avx512", "avxvnni", "avx2"],
  "linux-arm64": ["dotprod"],
  "darwin-arm64": ["dotprod"],
  "darwin-x64": ["avx2"],
  "win32-x64": ["avx512", "avx2"],
};

/** MB (10^6 bytes). `packed`: the download; `file`: the largest file. */
export const budgets = { main: { unpacked: 3 }, binary: { packed: 15, file: 15 } };

/** Only a build from source needs them; scripts/tools.mjs fetches these versions of them. */
const buildTools = ["cmake-js", "node-addon-api", "node-llama-cpp"];

function common({ version, license, author, engines }) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  // npm compares it with the provenance of what is published.
  const origin = repository ? { repository: { type: "git", url: `git+${server}/${repository}.git` } } : {};
  return { version, license, author, engines, ...origin };
}

/** `own`: the repository's package.json. */
export function mainManifest(own) {
  const { name, description, keywords, type, imports, bin, dependencies, devDependencies } = own;
  const { version } = own;
  const entry = (folder) => ({ types: `./${folder}/index.d.ts`, default: `./${folder}/index.js` });
  return {
    ...{ name, description, keywords, ...common(own), type },
    exports: { ".": { import: entry("dist"), require: entry("cjs") }, "./package.json": "./package.json" },
    ...{ imports, bin, dependencies: { ...dependencies, "@thinktree/models": version } },
    optionalDependencies: Object.fromEntries(Object.keys(platforms).map((name) => [`@thinktree/${name}`, version])),
    devDependencies: Object.fromEntries(buildTools.map((name) => [name, devDependencies[name]])),
  };
}

export function modelsManifest(own) {
  return { name: "@thinktree/models", description: "The embedded models of thinktree", ...common(own) };
}

/**
 * `kind`: of GPU, such as "-cuda", or none. `variants`: [{ name, file, needs }], best first, which lib/engine/binary.ts
 * chooses from.
 */
export function platformManifest(own, platform, kind, variants) {
  const [os, cpu] = platform.split("-");
  return {
    name: `@thinktree/${platform}${kind}`,
    description: `The native addon of thinktree for ${platform}${kind}`,
    ...{ ...common(own), os: [os], cpu: [cpu], ...(os === "linux" && { libc: ["glibc"] }) },
    // Package managers that keep packages in archives must unpack this one.
    preferUnplugged: true,
    variants,
  };
}

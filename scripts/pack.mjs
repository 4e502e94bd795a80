// Makes the packages that are published, as folders and tarballs in build/packages, within their budgets of size:
//   node scripts/pack.mjs [main] [models] [binary] [--cuda] [--native]
// All three where none is named. `binary` is for this machine's platform and builds the addon once for each kind of CPU
// (minutes each), with --cuda for GPUs. --native takes the addon of build/Release instead, which runs on this machine
// alone: for tests, in build/packages-native.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { root } from "./files.mjs";
import { budgets, mainManifest, modelsManifest, platformManifest, platforms } from "./packages.mjs";

const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const { values, positionals } = parseArgs({
  options: { cuda: { type: "boolean" }, native: { type: "boolean" } },
  allowPositionals: true,
});
const out = join(root, values.native ? "build/packages-native" : "build/packages");
const makers = { main: packMain, models: packModels, binary: packBinary };
const unknown = positionals.find((name) => !(name in makers));
if (unknown !== undefined) stop(`there is no package "${unknown}": ${Object.keys(makers).join(", ")}`);
const wanted = positionals.length > 0 ? positionals : Object.keys(makers);
for (const name of wanted) await makers[name]();

async function packMain() {
  const folder = fresh("thinktree");
  const dist = join(folder, "dist");
  // Anew: build's own dist/ may hold what has left lib/ since. Source maps would point at sources that are not there.
  const flags = "--sourceMap false --declarationMap false --incremental false --tsBuildInfoFile null".split(" ");
  for (const project of ["tsconfig.build.json", "tsconfig.page.json"])
    node("node_modules/typescript/bin/tsc", "-p", project, "--outDir", dist, ...flags);
  await commonJs(dist, join(folder, "cjs"));
  const sources = [
    "native",
    "bindings",
    "CMakeLists.txt",
    "scripts/build-native.mjs",
    "scripts/files.mjs",
    "scripts/tools.mjs",
  ];
  const data = ["models/heldout.jsonl", "models/policy.json", "models/recipes"];
  copy(folder, ...sources, ...data, "README.md", "CHANGELOG.md", "LICENSE");
  finish(folder, mainManifest(own), budgets.main);
}

/**
 * The files that the public surface needs, as CommonJS in a folder beside dist/: so that what they find by their own
 * place (models, the addon, threads) is where it is seen from there.
 */
async function commonJs(dist, cjs) {
  const modules = new Set(["index"]); // a set may grow while it is gone through
  for (const module of modules) {
    const text = [".js", ".d.ts"].map((extension) => readFileSync(join(dist, module + extension), "utf8")).join("");
    // Imports, and files that become threads or processes of their own, which URLs name; those of dist/ by that name stay there.
    for (const [, name] of text.matchAll(/"(\.{1,2}\/[^"]+)\.js"/g)) {
      const named = join(module, "..", name);
      if (!named.startsWith("..")) modules.add(named);
    }
  }
  await build({
    ...{ entryPoints: [...modules].map((module) => join(dist, `${module}.js`)), outbase: dist, outdir: cjs },
    ...{ format: "cjs", platform: "node", target: "node20.17", logLevel: "error" },
    define: { "import.meta.url": "importMetaUrl" },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
  for (const module of modules) cpSync(join(dist, `${module}.d.ts`), join(cjs, `${module}.d.ts`));
  writeFileSync(join(cjs, "package.json"), JSON.stringify({ type: "commonjs" }));
}

function packModels() {
  const folder = fresh("models");
  for (const name of readdirSync(join(root, "models")).filter((name) => name.endsWith(".gguf")))
    cpSync(join(root, "models", name), join(folder, name));
  cpSync(join(root, "models/README.md"), join(folder, "README.md"));
  copy(folder, "LICENSE");
  finish(folder, modelsManifest(own), {});
}

function packBinary() {
  const platform = `${process.platform}-${process.arch}`;
  const kind = values.cuda ? "-cuda" : "";
  const folder = fresh(`${platform}${kind}`);
  const needs = JSON.parse(readFileSync(join(root, "native/cmake/cpu_variants.json"), "utf8"))[process.arch];
  const cpus = platforms[platform];
  if (cpus === undefined && !values.native) stop(`no binary is published for ${platform}`);
  // A GPU's kernels are large, and seldom wait for the CPU: one binary, which every CPU runs.
  const names = values.native ? ["native"] : values.cuda ? cpus.slice(-1) : cpus;
  const variants = names.map((name) => ({
    name,
    file: `thinktree-${name}.node`,
    needs: values.native ? [] : needs[name],
  }));
  for (const { name, file } of variants) {
    if (!values.native) node("scripts/build-native.mjs", `--cpu=${name}`, ...(values.cuda ? ["--cuda"] : []));
    const from = join(root, "build", values.native ? "" : `portable${kind}`, "Release");
    cpSync(join(from, values.native ? "thinktree.node" : file), join(folder, file));
    cpSync(join(from, "cpu.node"), join(folder, "cpu.node"));
  }
  copy(folder, "LICENSE");
  cpSync(llamaLicence(join(root, "build", values.native ? "" : `portable${kind}`)), join(folder, "LICENSE-llama.cpp"));
  const what = `The native addon of thinktree for ${platform}${kind}. Install \`thinktree\`, which brings it.\n`;
  writeFileSync(join(folder, "README.md"), what);
  // `private`: npm refuses to publish it.
  const manifest = { ...platformManifest(own, platform, kind, variants), ...(values.native && { private: true }) };
  finish(folder, manifest, values.cuda || values.native ? {} : budgets.binary);
}

/** llama.cpp is inside of the binary, and its licence asks to go along. */
function llamaLicence(buildFolder) {
  const [source] = readdirSync(buildFolder).filter((name) => /^llama\.cpp-[0-9a-f]{8}$/.test(name));
  if (source === undefined) stop(`llama.cpp is not unpacked in ${buildFolder}`);
  return join(buildFolder, source, "LICENSE");
}

/** An empty folder of the package's name. */
function fresh(name) {
  const folder = join(out, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function copy(folder, ...paths) {
  for (const path of paths) cpSync(join(root, path), join(folder, path), { recursive: true });
}

/** The manifest, the tarball, what is in it, and whether it is too large. */
function finish(folder, manifest, { packed = Infinity, unpacked = Infinity, file: largest = Infinity }) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const options = { cwd: folder, encoding: "utf8", shell: process.platform === "win32" };
  const [{ filename, size, unpackedSize, files }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", out], options),
  );
  const tarball = join(out, filename);
  if (!existsSync(tarball)) stop(`npm made no ${relative(root, tarball)}`);
  const megabytes = (bytes) => (bytes / 1e6).toFixed(2);
  console.log(
    `${manifest.name} ${relative(root, tarball)}: ${megabytes(size)} MB, unpacked ${megabytes(unpackedSize)} MB`,
  );
  for (const [part, bytes] of sizesByFolder(files)) console.log(`  ${megabytes(bytes).padStart(8)} MB ${part}`);
  const tooLarge = files.filter(({ size }) => size > largest * 1e6).map(({ path }) => path);
  if (size > packed * 1e6) stop(`${manifest.name} is a download of more than ${packed} MB`);
  if (unpackedSize > unpacked * 1e6) stop(`${manifest.name} unpacks to more than ${unpacked} MB`);
  if (tooLarge.length > 0) stop(`${tooLarge.join(", ")}: larger than ${largest} MB`);
}

/** Files, and folders of files, the largest first. */
function sizesByFolder(files) {
  const sizes = new Map();
  for (const { path, size } of files) {
    const [part, ...below] = path.split("/");
    const name = below.length > 0 ? `${part}/` : part;
    sizes.set(name, (sizes.get(name) ?? 0) + size);
  }
  return [...sizes].sort(([, a], [, b]) => b - a);
}

function node(...args) {
  execFileSync(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

function stop(message) {
  console.error(`pack: ${message}`);
  process.exit(1);
}

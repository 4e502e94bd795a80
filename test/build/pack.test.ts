/** The packages as a user installs them: without install scripts, without a compiler, in an empty project. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";

import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const platform = `${process.platform}-${process.arch}`;
const packages = resolve("build/packages-native");
const question = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";
const npm = npmCli();

function npmCli(): string | undefined {
  const places = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "npm"));
  const found = places.find(existsSync);
  return found && realpathSync(found);
}

const reachable = npm !== undefined && spawnSync(process.execPath, [npm, "ping"], { timeout: 20_000 }).status === 0;
const why = npm === undefined ? ": no npm in PATH" : reachable ? "" : ": npm reaches no registry";

describe.skipIf(why !== "" || process.platform === "win32")(`the packed packages${why}`, { timeout: 240_000 }, () => {
  let project: string;
  let environment: NodeJS.ProcessEnv;

  beforeAll(() => {
    execFileSync(process.execPath, ["scripts/pack.mjs", "--native"], { stdio: "pipe" });
    project = mkdtempSync(join(tmpdir(), "thinktree-project-"));
    // Only what npm itself needs can be run: no compiler, no cmake, no git.
    const programs = join(project, "programs");
    mkdirSync(programs);
    symlinkSync(process.execPath, join(programs, "node"));
    symlinkSync("/bin/sh", join(programs, "sh"));
    environment = { ...withoutNpm(process.env), PATH: programs };
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true }));
    const tarballs = readdirSync(packages).filter((name) => name.endsWith(".tgz"));
    const begun = performance.now();
    const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    run([npm!, "install", ...flags, ...tarballs.map((name) => join(packages, name))]);
    console.log(`installed in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }, 300_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const options = { cwd: project, env: { ...environment, ...env }, encoding: "utf8", timeout: 240_000 } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
    return { status, stdout, stderr };
  };
  const installed = (path: string) => join(project, "node_modules", path);

  const asking = (load: string) => `
    const { Engine, binary, mathGrader } = thinktree;
    const engine = await Engine.load(LOAD);
    const { answer } = await engine.solve(${JSON.stringify(question)}, { budget: 4, seed: 1 });
    await engine.close();
    const grader = mathGrader(); // on threads of its own
    console.log(JSON.stringify({ answer, right: await grader.grade("48/2", "24"), binary: binary().name }));
    await grader.close();`.replace("LOAD", load);
  const [ask, apart] = [asking(""), asking('{ isolation: "process" }')];
  const answered = { answer: "19", right: true, binary: `${platform} native` };

  it.each([
    ["import", "ask.mjs", `import * as thinktree from "thinktree";${ask}`, []],
    ["import, in a process of its own", "apart.mjs", `import * as thinktree from "thinktree";${apart}`, []],
    ["require, likewise", "apart.cjs", `const thinktree = require("thinktree");(async () => {${apart}})();`, []],
    // As in Node 20.17, where an ES module cannot be required.
    ["require", "ask.cjs", `const thinktree = require("thinktree");(async () => {${ask}})();`, ["--no-experimental-require-module"]],
  ])("answer a question by %s", (_, name, text, flags) => {
    writeFileSync(join(project, name), text);
    const { stdout, stderr } = run([...flags.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)), name]);
    expect([JSON.parse(stdout || "null"), stderr]).toEqual([answered, ""]);
  });

  it("answer a question by npx", () => {
    const { status, stdout } = run([npm!, "exec", "--no", "thinktree", "--", "solve", question, "--seed", "1", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ answer: "19" });
  });

  it("serve a page and its scripts", async () => {
    const main = installed("thinktree/dist/cli/main.js");
    const server = spawn(process.execPath, [main, "serve", "--port", "0", "--log-level", "silent"], { cwd: project, env: environment });
    try {
      const [line] = (await once(server.stdout, "data")) as [Buffer];
      const url = /http:\/\/\S+/.exec(line.toString())![0];
      const page = await (await fetch(url)).text();
      const scripts = [...page.matchAll(/src="([^"]+\.js)"/g)].map(([, script]) => new URL(script!, url));
      expect(scripts.length).toBeGreaterThan(0);
      for (const script of scripts) expect((await fetch(script)).status).toBe(200);
    } finally {
      server.kill("SIGKILL");
    }
  });

  it("have types for both kinds of modules", () => {
    const use = `
      const engine: Engine = await Engine.load({ threads: 1 });
      const { answer, ledger } = await engine.solve("?", { strategy: beamSearch({ n: 4, beamWidth: 2 }) });
      const both: [string | null, number] = [answer, ledger.generatedTokens];
      // @ts-expect-error: the types are there, and say that this is no number of branches
      beamSearch({ n: "four", beamWidth: 2 });
      return both;`;
    for (const name of ["types.mts", "types.cts"]) {
      const text = `import { beamSearch, Engine } from "thinktree";\nexport async function use() {${use}}\n`;
      writeFileSync(join(project, name), text);
    }
    const compilerOptions = {
      ...{ noEmit: true, strict: true, module: "node16", target: "es2022", lib: ["es2023", "esnext.disposable"] },
      ...{ types: ["node"], typeRoots: [resolve("node_modules/@types")] },
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.mts", "types.cts"] }));
    expect(run([resolve("node_modules/typescript/bin/tsc"), "-p", "."])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("say in their manifests what is true", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed("thinktree"), strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it("need no install script, and nothing that only a build needs", () => {
    const { scripts, dependencies } = JSON.parse(readFileSync(installed("thinktree/package.json"), "utf8")) as Record<string, object>;
    expect(scripts).toBeUndefined();
    // With it in the package, npm would build by itself.
    expect(existsSync(installed("thinktree/binding.gyp"))).toBe(false);
    expect(Object.keys(dependencies!)).toEqual(expect.arrayContaining(["@thinktree/models", "zod"]));
    for (const name of ["node-llama-cpp", "cmake-js", "node-addon-api"]) expect(existsSync(installed(name))).toBe(false);
  });

  it("name the command that builds where no binary is, and that says what it needs", () => {
    const there = installed(`@thinktree/${platform}`);
    cpSync(there, join(project, "kept"), { recursive: true });
    rmSync(there, { recursive: true });
    try {
      const main = installed("thinktree/dist/cli/main.js");
      const solve = run([main, "solve", question]);
      expect([solve.status, solve.stderr]).toEqual([2, expect.stringMatching(/no binary for .* is installed: run "npx thinktree build"/)]);
      const build = run([main, "build"]);
      expect([build.status, build.stderr]).toEqual([1, expect.stringMatching(/a C\+\+ compiler is missing/)]);
    } finally {
      cpSync(join(project, "kept"), there, { recursive: true });
    }
  });

  // Made by `node scripts/pack.mjs binary`, which takes many minutes.
  const release = resolve("build/packages", platform);
  const variants = existsSync(join(release, "package.json"))
    ? (JSON.parse(readFileSync(join(release, "package.json"), "utf8")) as { variants: { name: string }[] }).variants
    : [];
  it.skipIf(variants.length === 0)("answer the question with every binary that this CPU can run", () => {
    const there = installed(`@thinktree/${platform}`);
    rmSync(there, { recursive: true });
    cpSync(release, there, { recursive: true });
    const outcomes = variants.map(({ name }) => {
      const { stdout, stderr } = run(["ask.mjs"], { THINKTREE_CPU: name });
      return stderr.includes(`THINKTREE_CPU is "${name}": this CPU has no`) ? null : (JSON.parse(stdout) as unknown);
    });
    const of = (name: string) => ({ ...answered, binary: `${platform} ${name}` });
    expect(outcomes).toEqual(outcomes.map((outcome, i) => outcome && of(variants[i]!.name)));
    const best = variants[outcomes.findIndex((outcome) => outcome !== null)]!;
    expect(JSON.parse(run(["ask.mjs"]).stdout)).toEqual(of(best.name));
  });
});

/** Without what the npm that runs the tests has told them. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = ["CC", "CXX", "NODE_OPTIONS", "THINKTREE_CPU", "npm_config_local_prefix", "npm_config_prefix"];
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !inherited.includes(name) && !/^npm_(package|lifecycle)_/.test(name)),
  );
}

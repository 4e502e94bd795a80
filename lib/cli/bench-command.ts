/**
 * `thinktree bench`: how fast search is on this machine, with any model.
 *
 * Owns: its flags and help; which files are written.
 * Must not know: what is timed, how the page and the pictures look.
 */
import { Command, Option } from "commander";

import { benchmark } from "../benchmark/benchmark.js";
import { csvOf } from "../benchmark/csv.js";
import { busyShare, busyWarning } from "../benchmark/machine-load.js";
import type { Benchmark, Settings } from "../benchmark/results.js";
import { EngineCore } from "../engine/engine-core.js";
import { ThinkTreeError } from "../errors.js";
import { engineOptionsOf, type ModelOptions } from "../scheduler/model-options.js";
import { benchView } from "./bench-view.js";
import type { Interruption } from "./interruption.js";
import { loadModels } from "./models.js";
import { version } from "./package-files.js";
import { paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { addModelFlags, engineOptions, type ModelFlags } from "./search-flags.js";
import { wholeNumber, wholeNumbers } from "./values.js";
import { assertWritable, writeWhole } from "./whole-file.js";

interface BenchFlags extends ModelFlags {
  readonly model?: string;
  readonly branches: readonly number[];
  readonly prompt: number;
  readonly length: number;
  readonly step: number;
  readonly rounds: number;
  readonly json?: string;
  readonly csv?: string;
  readonly html?: string;
  readonly plot?: string;
}

/** As many as the engine can keep in its cache at once. */
const mostBranches = 256;
/** As the engine has it. */
const usualCells = 16_384;
const mostCells = 1 << 20;

const help = `
Examples:
  $ thinktree bench
  $ thinktree bench --generator qwen.gguf --rounds 10 --html qwen.html
  $ thinktree bench --generator qwen.gguf --verifier prm.gguf --branches 16,64
    --json qwen.json --csv qwen.csv --plot qwen.svg

What is measured, for each number of branches, in every round:
  first token  from the prompt's text to the first token of all branches
  step         from the call that extends all branches by a step (see --step) to
               all of them written and, with a verifier, scored
  tokens/s     of all branches together, while they take their steps
Tokens are drawn from the whole vocabulary alike, so that any model writes as
much as it is asked to; what a token costs does not depend on what it says,
unless the model is a mixture of experts, or --draft has to guess it: that is
better measured on questions of your own.

--json, --csv: the same fields, units in their names (Ms, Mib, Tokens, Bytes):
  branches, tokensPerSecond {median, least, most} over the rounds,
  firstTokenMs {p50, p95, p99} over the rounds, stepMs and tokenMs (a step's
  divided by its tokens) {p50, p95, p99} over all steps, hostMsPerDecode (what
  is neither the generator's decode nor the verifier's work), verifierShare of
  the time, tokens written and tokensAsked (an end token cuts a step short),
  decodes, decodeMs, sampleMs, planMs, verifierDecodes, verifierTokens,
  verifyMs, kvCellsPeak, verifierKvCellsPeak, recomputedTokens, residentMib;
  and residentPeakMib, machine, models, settings. In the JSON each of results
  has its rounds as they were measured: [{firstTokenMs, stepMs, tokens}].
Nothing in them names the machine, its user or a folder.

Exit codes:
  0    all was measured
  1    an unexpected error
  2    a wrong flag or file
  130  Ctrl-C (143: SIGTERM) came first; nothing was written`;

export function benchCommand(interruption: Interruption): Command {
  const command = new Command("bench")
    .summary("measure speed and latency on this machine")
    .description("Measures how fast branches are written on this machine, and how long each step takes.")
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Work:")
    .option("--branches <list>", "at once (default: 1,4,16,64)", wholeNumbers(1, mostBranches), [1, 4, 16, 64])
    .option("--prompt <tokens>", "before them (default: 512)", wholeNumber(1, mostCells), 512)
    .option("--length <tokens>", "that each branch writes in a round (default: 64)", wholeNumber(2, mostCells), 64)
    .option("--step <tokens>", "that each branch writes in a step (default: 8)", wholeNumber(2, mostCells), 8)
    .option("--rounds <count>", "measurements of each (default: 3)", wholeNumber(1, 10_000), 3);
  return addModelFlags(command)
    .addOption(new Option("--model <file.gguf>", "the same as --generator").conflicts("generator"))
    .optionsGroup("Output:")
    .option("--json <file>", "write the figures there")
    .option("--csv <file>", "the same as a table")
    .option("--html <file>", "a page with pictures that needs no network")
    .option("--plot <file.svg>", "the pictures alone")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: BenchFlags) => run(flags, interruption));
}

async function load(options: ModelOptions): Promise<EngineCore> {
  return EngineCore.load(await engineOptionsOf(options));
}

async function run({ model, ...rest }: BenchFlags, interruption: Interruption): Promise<void> {
  const flags = { ...rest, ...(model !== undefined && { generator: model }) };
  const settings = settingsOf(flags);
  const options = { ...engineOptions(flags, undefined), kvCells: settings.kvCells };
  const files = await outputsOf(flags);
  for (const { path } of files) await assertWritable(path);

  const progress = new ProgressView(process.stderr);
  const busy = await progress.during("looking what else runs", busyShare);
  const warning = busyWarning(busy);
  if (warning !== undefined) process.stderr.write(`thinktree: ${warning}\n`);
  await using core = await loadModels(options, load, progress, interruption);
  const found = await interruption.duringLostWork((signal) =>
    progress.duringParts("measuring", (tell) =>
      benchmark(core, {
        ...{ settings, version, signal, busyShare: busy, date: new Date().toISOString().slice(0, 10) },
        onProgress: ({ branches, ...parts }) => tell({ ...parts, note: `${branches} at once` }),
      }),
    ),
  );
  for (const { path, textOf } of files) await writeWhole(path, textOf(found));
  const written = files.map(({ path }) => path);
  process.stdout.write(`${benchView(found, written, paperOf(process.stdout)).join("\n")}\n`);
}

/** @throws {ThinkTreeError} INVALID_OPTION */
function settingsOf(flags: BenchFlags): Settings {
  const { branches, prompt, length, step, rounds, kvType = "f16", threads = null, gpuLayers = null } = flags;
  if (flags.kvMib !== undefined) {
    throw new ThinkTreeError(
      "INVALID_OPTION",
      "the benchmark's caches are as large as its branches need: leave --kv-mib out",
    );
  }
  if (length % step !== 0) {
    const below = step * Math.floor(length / step);
    const use = below > 0 ? `${below} or ${below + step}` : String(step);
    throw new ThinkTreeError("INVALID_OPTION", `--length must be a multiple of --step (${step}): use ${use}`);
  }
  return {
    ...{ branches, promptTokens: prompt, lengthTokens: length, stepTokens: step, rounds },
    ...{ kvCells: cellsFor(flags), kvType, threads, gpuLayers },
  };
}

/** A cache that is short would be measured in place of the model. */
function cellsFor({ branches, prompt, length, kvCells }: BenchFlags): number {
  const most = Math.max(...branches);
  const needed = prompt + most * length;
  if (needed > (kvCells ?? mostCells)) {
    const cells = needed.toLocaleString("en-US");
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `${most} branches of ${length} tokens after ${prompt} need ${cells} KV cells: use fewer, or more --kv-cells`,
    );
  }
  // Twice: a verifier's vocabulary may cut the same text into more tokens.
  return kvCells ?? Math.min(mostCells, Math.max(usualCells, 2 * needed));
}

/** @throws {ThinkTreeError} INVALID_OPTION: two of them are one file */
async function outputsOf({ json, csv, html, plot }: BenchFlags) {
  const texts: [path: string | undefined, textOf: (found: Benchmark) => string][] = [
    [json, (found) => `${JSON.stringify(found, null, 1)}\n`],
    [csv, csvOf],
  ];
  // What draws takes longer to load than the rest of the program.
  if (html !== undefined) texts.push([html, (await import("../report/benchmark-page.js")).benchmarkPage]);
  if (plot !== undefined) texts.push([plot, (await import("../report/benchmark-svg.js")).benchmarkSvg]);
  const files = texts.flatMap(([path, textOf]) => (path === undefined ? [] : [{ path, textOf }]));
  const twice = files.find(({ path }, i) => files.findIndex((file) => file.path === path) < i);
  if (twice !== undefined) throw new ThinkTreeError("INVALID_OPTION", `${twice.path} is named twice: name two files`);
  return files;
}

/**
 * A recorded tree on llama.cpp's own server, one for each model.
 *
 * Owns: one measured run, and what a client must do so that the server searches a tree as fast as it can.
 * Must not know: the other contenders, how often it is run.
 *
 * What a client can do about a fork:
 * - Ask for several completions of one prompt (n_cmpl). The server decodes the prompt once and copies it, but forgets all
 *   completions except the first when they end: who goes on from another one has its last step decoded again.
 * - Save a slot and restore it into others, through files (here in memory). Nothing is decoded again.
 * Left alone, it gives a request the idle slot whose tokens begin most alike: of four siblings one finds its parent's,
 * the others take slots that other parents need, so this is not measured.
 *
 * The two ways measured:
 *   families  siblings are one request with n_cmpl. It has one n_predict for all: it is their mean length, rounded so that
 *             the tree has as many tokens as the recorded one. That is to the server's advantage: siblings end together.
 *   branches  each branch has a slot and a request with the recorded length; forks by saving and restoring slots.
 * Best-of-N is one request with n_cmpl in both. The verifier always is as in `branches`, for its steps differ from the
 * start, and with a memory for each slot: what is restored into a unified one is not shared, and attention pays for it all.
 *
 * The server samples its own tokens: they cannot be forced, but are as many. It draws from the 40 likeliest: 16 branches x
 * 16 tokens took it 2.0 s of processor time so, 2.3 s with the likeliest alone and 2.5 s with a draw from all 151,936. A
 * score is read by biasing the two tags so that only they can be drawn; for the probabilities of all it sorts them.
 */
import { textOf } from "../gguf/vocabulary.js";
import { answer } from "../support/child.js";
import { familiesOf, longestPath, tokensOf, widestOf } from "./recorded-tree.js";
import { ServerProcess } from "./server-process.js";
import { byBranches, byFamilies, scored, Seats } from "./server-seats.js";
import { cpuMs, type ReplayResult, type ReplayWork } from "./work.js";

async function measure({ tree, generator, verifier, threads, way }: ReplayWork): Promise<ReplayResult> {
  const [manner, memory, attention] = way.split(" ");
  const slots = widestOf(tree);
  const start = (model: string, tagTokens: number, unified: boolean) => {
    const path = Math.ceil((longestPath(tree, tagTokens) + 32) / 256) * 256;
    return ServerProcess.start({
      model,
      slots,
      cells: slots * path,
      unified,
      flash: attention === "flash",
      threads,
    });
  };
  const writing = await start(generator, 0, memory === "unified");
  const reading = verifier === undefined ? undefined : await start(verifier, 1, false);
  const cpuOfAll = () => cpuMs() + writing.cpuMs() + (reading?.cpuMs() ?? 0);
  const writer = new Seats(writing, slots);
  const reader = reading && new Seats(reading, slots);
  const families = manner === "families" || !tree.verified;
  const grow = families ? byFamilies(writer, slots) : byBranches(writer);
  const prompt = [...Buffer.from(textOf(tree.prompt))];

  const begun = performance.now();
  const cpuBegun = cpuOfAll();
  let branches = [families ? { slot: -1, path: prompt } : await writer.read(prompt)];
  let read = reader && [await reader.read(prompt)];
  let generatedTokens = 0;
  for (const round of tree.rounds) {
    const grown = await grow(branches, round);
    const steps = grown.map(({ path }, i) => path.slice(branches[Math.max(round.parents[i]!, 0)]!.path.length));
    generatedTokens += steps.flat().length;
    if (reader && read) read = await scored(reader, await reader.fork(read, round), steps);
    branches = grown;
  }
  const spent = { totalMs: performance.now() - begun, cpuMs: cpuOfAll() - cpuBegun };
  const needed = tree.prompt + tree.rounds.slice(1).reduce((sum, round) => sum + familiesOf(round).length, 0);
  return {
    ...spent,
    generatedTokens,
    peakRssMb: writing.peakRssMb() + (reading?.peakRssMb() ?? 0),
    remark: `${generatedTokens - tokensOf(tree)} tokens more than recorded, ${writer.promptTokens - needed} decoded again`,
  };
}

await answer(measure);

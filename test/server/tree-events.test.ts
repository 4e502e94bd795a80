/** The tree in a stream: what its chunks are, who gets them, and what becomes of a reader that is slow. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { LiveRecording } from "../../lib/report/live-recording.js";
import type { RecordedStep } from "../../lib/report/recording.js";
import { eventStream } from "../../lib/server/event-stream.js";
import { searchNews } from "../../lib/server/response-schemas.js";
import { beamSearch, weightedBestOfN, type Strategy } from "../../lib/strategies/index.js";
import { answerOf as read, chain, needle } from "../strategies/problems.js";
import { openaiFaults } from "../support/openai-schema.js";
import { chat, closeServersAfterEach, serverOf } from "../support/scripted-server.js";
import { answerOf, ScriptedEngine } from "../support/search-engine.js";
import { ToyTree } from "../support/toy-tree.js";

closeServersAfterEach();

const news = z.strictObject(searchNews.shape);

/** The data of a stream, in order. */
function chunksOf(payload: string) {
  return payload
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[]; thinktree?: object });
}

/** Runs a search on a toy tree as the engine would, and ends it with its first solution. */
async function run(engine: ScriptedEngine, strategy: Strategy, tree = new ToyTree(needle(3))): Promise<void> {
  const [{ options, end }] = (await engine.until(1)) as [Awaited<ReturnType<ScriptedEngine["until"]>>[0]];
  const watched = options.watch?.(strategy) ?? strategy;
  const { ledger } = answerOf();
  const [first] = await watched.explore(tree, {
    answerOf: read,
    onRound: (round) => options.onProgress?.({ ...round, ledger }),
  });
  end({ ...answerOf([first!.text]), steps: first!.steps });
}

describe("a stream with the tree", () => {
  it("tells steps, scores, what was given up and the choice, before the answer", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine)).inject(chat({ stream: true, thinktree: { tree: true } }));
    await run(engine, beamSearch({ n: 8, beamWidth: 2 }));
    const { payload } = await response;
    const chunks = chunksOf(payload);
    expect(chunks.flatMap((chunk) => openaiFaults("CreateChatCompletionStreamResponse", chunk))).toEqual([]);
    const told = chunks.flatMap(({ thinktree }) => (thinktree && !("answer" in thinktree) ? [thinktree] : []));
    const steps: RecordedStep[] = [];
    let chosen: number | null = null;
    for (const one of told) {
      const { tree } = news.parse(one);
      for (const step of tree?.steps ?? []) steps[step.id] = step;
      chosen = tree?.chosen ?? chosen;
    }
    expect(steps).toHaveLength(32);
    expect(steps.every(({ score }) => score !== null)).toBe(true);
    expect(steps.some(({ pruned }) => pruned !== null)).toBe(true);
    expect(steps[chosen!]!.solution!.whole).toBe(true);
    // Clients that know nothing of it read the answer's text, and nothing else.
    const text = chunks.map(({ choices }) => choices[0]!.delta.content ?? "").join("");
    expect(text).toBe(answerOf([text]).text);
    expect(chunks.findIndex(({ choices }) => choices[0]!.delta.content)).toBe(told.length);
    expect(payload.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("is one that was asked for: others are not watched", async () => {
    for (const thinktree of [{}, { tree: false }, { progress: true }]) {
      const engine = new ScriptedEngine();
      const response = (await serverOf(engine)).inject(chat({ stream: true, thinktree }));
      const [search] = await engine.until(1);
      expect(search!.options.watch).toBeUndefined();
      search!.end();
      expect((await response).payload).not.toContain('"tree"');
    }
  });

  it("goes on between rounds: solutions that come one by one are told one by one", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine)).inject(chat({ stream: true, thinktree: { tree: true } }));
    const [search] = await engine.until(1);
    const tree = new SlowToyTree(chain(2));
    void run(engine, weightedBestOfN({ n: 3 }), tree);
    await tree.held;
    await new Promise((resolve) => setTimeout(resolve, 400)); // longer than between two looks
    tree.letGo();
    const chunks = chunksOf((await response).payload);
    const trees = chunks.flatMap(({ thinktree }) =>
      thinktree && "tree" in thinktree ? [news.parse(thinktree).tree!] : [],
    );
    expect(search!.options.watch).toBeDefined();
    expect(trees.length).toBeGreaterThan(1);
    expect(trees[0]!.steps).toHaveLength(2); // the one solution that was there
    expect(trees.at(-1)!.chosen).not.toBeNull();
  });

  it("drops what a slow reader has not taken, and never the whole: 256 branches and 20 rounds", async () => {
    const recording = new LiveRecording();
    let finish: () => void = () => undefined;
    const rounds: number[] = [];
    const ended = new Promise<void>((resolve) => (finish = resolve));
    const lines = eventStream({
      patienceMs: 1,
      pulse: { everyMs: 1, news: () => recording.news() },
      search: async (tell) => {
        const { ledger } = answerOf();
        await new Promise((resolve) => setTimeout(resolve, 20)); // the reader is there first
        const [first] = await recording.watch(beamSearch({ n: 256, beamWidth: 4 })).explore(new ToyTree(chain(20)), {
          answerOf: read,
          onRound: (round) => (rounds.push(round.round), tell({ ...round, ledger })),
        });
        recording.end(first!.steps);
        finish();
        return answerOf();
      },
      news: (_, tree) => JSON.stringify(tree ?? null),
      answer: () => [{ answer: "there" }],
    });
    const reader = (await lines)[Symbol.asyncIterator]();
    await reader.next(); // and then it takes nothing until the search is over
    await ended;
    await new Promise(setImmediate);
    expect(rounds).toHaveLength(20);
    const rest: string[] = [];
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) rest.push(next.value);
    const trees = rest
      .slice(0, -2)
      .flatMap((line) => (JSON.parse(line) as { steps: unknown[]; chosen: number } | null) ?? []);
    expect(trees).toHaveLength(1);
    expect(trees[0]!.steps).toHaveLength(256 * 20);
    expect(trees[0]!.chosen).not.toBeNull();
    expect(rest.at(-2)).toContain("there");
  });
});

/** Writes one branch at once, and the others when it is told to. */
class SlowToyTree extends ToyTree {
  letGo: () => void = () => undefined;
  private readonly free = new Promise<void>((resolve) => (this.letGo = resolve));
  private reached: () => void = () => undefined;
  readonly held = new Promise<void>((resolve) => (this.reached = resolve));

  override async extend(...[branches, options]: Parameters<ToyTree["extend"]>): Promise<void> {
    await super.extend(branches.slice(0, 1), options);
    this.reached();
    await this.free;
    await super.extend(branches.slice(1), options);
  }
}

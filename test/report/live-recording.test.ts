import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LiveRecording } from "../../lib/report/live-recording.js";
import type { RecordedStep, TreeNews } from "../../lib/report/recording.js";
import { beamSearch, weightedBestOfN } from "../../lib/strategies/index.js";
import { answerOf, anyStrategy, anyToy, chain, needle, right, wrong } from "../strategies/problems.js";
import { ToyTree } from "../support/toy-tree.js";
import { watch } from "./samples.js";

/** What a reader knows who puts every step in the place of its id. */
class Reader {
  readonly steps: RecordedStep[] = [];
  rounds = 0;
  chosen: number | null = null;
  readonly told: TreeNews[] = [];

  constructor(private readonly recording: LiveRecording) {}

  look(): void {
    const news = this.recording.news();
    if (news === null) return;
    this.told.push(news);
    for (const step of news.steps) this.steps[step.id] = step;
    this.rounds = news.rounds;
    this.chosen = news.chosen;
  }
}

describe("LiveRecording", () => {
  it("comes to the whole recording, however often its reader looks", async () => {
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), fc.nat(999), fc.nat(3), async (strategy, steps, seed, every) => {
        const { recording, candidates } = await watch(strategy, steps, { seed });
        const live = new LiveRecording();
        const reader = new Reader(live);
        let rounds = 0;
        const onRound = () => {
          if (every > 0 && ++rounds % every === 0) reader.look();
        };
        await live.watch(strategy).explore(new ToyTree(steps, { seed }), { answerOf, onRound });
        live.end(candidates[0]!.steps);
        reader.look();
        const { steps: whole, rounds: last, chosen } = recording;
        expect({ steps: reader.steps, rounds: reader.rounds, chosen: reader.chosen }).toEqual({
          ...{ steps: whole, rounds: last, chosen },
        });
        reader.look();
        expect(reader.told.at(-1)!.chosen).toBe(chosen); // nothing is told after the end
      }),
      { numRuns: 100 },
    );
  });

  it("shows what a branch has written while others still write, and tells nothing twice", async () => {
    const live = new LiveRecording();
    const reader = new Reader(live);
    const exploring = live
      .watch(beamSearch({ n: 8, beamWidth: 2 }))
      .explore(new ToyTree(needle(3), { delaySeed: 7 }), { answerOf });
    let over = false;
    void exploring.then(() => (over = true));
    for (; !over; await Promise.resolve()) reader.look();
    live.end((await exploring)[0]!.steps);
    reader.look();
    const firsts = reader.told.map(({ steps }) => steps.filter(({ round }) => round === 1).length);
    expect(firsts.findIndex((count) => count > 0 && count < 8)).toBeGreaterThanOrEqual(0);
    for (const { steps, rounds } of reader.told.slice(0, -1)) {
      expect(steps.length).toBeGreaterThan(0);
      for (const { pruned, round } of steps) expect(Math.max(pruned ?? 0, round)).toBeLessThanOrEqual(rounds + 1);
    }
    // Written, scored, given up, found to be a solution, its score: no step changes more often.
    const times = reader.told.flatMap(({ steps }) => steps.map(({ id }) => id));
    for (const { id } of reader.steps) expect(times.filter((other) => other === id).length).toBeLessThanOrEqual(5);
  });

  it("prunes in the round that gave a branch up, and keeps whole solutions that were released", async () => {
    const steps = [
      { text: "good\n", score: 0.9, then: [right(0.8)] },
      { text: "bad\n", score: 0.1, then: [wrong(0.2)] },
    ];
    const live = new LiveRecording();
    const reader = new Reader(live);
    const seen: (readonly RecordedStep[])[] = [];
    await live.watch(beamSearch({ n: 4, beamWidth: 2 })).explore(new ToyTree(steps, { seed: 3 }), {
      ...{ answerOf, onRound: () => (reader.look(), seen.push([...reader.steps])) },
    });
    const [first, second] = seen;
    expect(first!.map(({ pruned }) => pruned).sort()).toEqual([1, 1, null, null]);
    const solutions = second!.filter(({ solution }) => solution !== null);
    expect(solutions).toHaveLength(4);
    for (const { pruned, solution } of solutions) expect([pruned, solution!.whole]).toEqual([null, true]);
  });

  it("counts the rounds of strategies that run one after the other, and finds the choice among all they found", async () => {
    const live = new LiveRecording();
    const reader = new Reader(live);
    const tree = new ToyTree(chain(3));
    const [first] = await live.watch(weightedBestOfN({ n: 2 })).explore(tree, { answerOf });
    reader.look();
    expect([reader.rounds, reader.steps.length]).toEqual([1, 6]);
    await live.watch(beamSearch({ n: 4, beamWidth: 2 })).explore(tree, { answerOf });
    live.end(first!.steps);
    reader.look();
    expect(reader.rounds).toBe(4);
    expect(reader.steps.slice(6).map(({ round }) => round)).toEqual([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    expect(reader.steps[reader.chosen!]!.solution).not.toBeNull();
  });

  it("has nothing to tell of a search that wrote nothing, but its end", () => {
    const live = new LiveRecording();
    expect(live.news()).toBeNull();
    live.end([]);
    expect(live.news()).toEqual({ steps: [], rounds: 0, chosen: null });
    expect(live.news()).toBeNull();
  });
});

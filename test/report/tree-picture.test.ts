import { describe, expect, it } from "vitest";
import { layOut } from "../../lib/report/tree-layout.js";
import { treePicture } from "../../lib/report/tree-picture.js";
import type { RecordedStep, TreeRecording } from "../../lib/report/recording.js";
import { beamSearch, weightedBestOfN } from "../../lib/strategies/index.js";
import { revisions } from "../../lib/strategies/revisions.js";
import { needle, wrong } from "../strategies/problems.js";
import { elements, parseMarkup, type Element } from "./markup.js";
import { hostile, viewOf, watch } from "./samples.js";

function recordingOf(steps: readonly Partial<RecordedStep>[], chosen: number | null = null): TreeRecording {
  const usual = {
    parent: null,
    text: "a\n",
    given: false,
    tokens: 1,
    score: 0.5,
    round: 1,
    pruned: null,
    solution: null,
  };
  const whole = steps.map((step, id) => ({ ...usual, id, ...step }));
  return {
    strategy: "beam",
    options: { n: 4 },
    steps: whole,
    rounds: Math.max(0, ...whole.map(({ round }) => round)),
    chosen,
  };
}

function boxesOf(recording: TreeRecording): Element[] {
  const picture = parseMarkup(
    treePicture(viewOf(recording))
      .replace(/ hidden>/, ">")
      .replace(/<input ([^>]*)>/, "<input $1/>"),
  );
  return elements(picture).filter(({ attributes }) => attributes["class"]?.split(" ").includes("step"));
}

describe("layOut", () => {
  it("never puts two boxes on one place, at 64 leaves", async () => {
    for (const strategy of [
      beamSearch({ n: 64, beamWidth: 8 }),
      weightedBestOfN({ n: 64 }),
      revisions({ chains: 8, length: 8 }),
    ]) {
      const { recording } = await watch(strategy, needle(5), { seed: 2, noise: 0.3 });
      const { boxes, rows, columns } = layOut(recording);
      const shown = boxes.reduce((sum, { count }) => sum + count, 0);
      expect(shown).toBe(recording.steps.length);
      for (let depth = 1; depth < columns; depth++) {
        const taken = boxes.filter((box) => box.depth === depth).map(({ row }) => row);
        taken.slice(1).forEach((row, i) => expect(row - taken[i]!).toBeGreaterThanOrEqual(1));
      }
      for (const { row } of boxes) expect(row + 1).toBeLessThanOrEqual(rows + 1e-9);
    }
  });

  it("draws the chosen path straight along the top", async () => {
    const { recording } = await watch(beamSearch({ n: 16, beamWidth: 4 }), needle(6), { noise: 0.1 });
    const chosen = layOut(recording).boxes.filter((box) => box.chosen);
    expect(chosen.map(({ depth, row }) => [depth, row])).toEqual(chosen.map((_, i) => [i + 1, 0]));
    expect(chosen).toHaveLength(7);
  });

  it("draws equal pruned leaves as one, and nothing else", () => {
    const leaf = { pruned: 1 };
    const recording = recordingOf([
      leaf,
      leaf,
      { ...leaf, score: 0.503 },
      { ...leaf, text: "b\n" },
      { pruned: 2 },
      {},
      {},
    ]);
    expect(
      layOut(recording)
        .boxes.map(({ count }) => count)
        .sort(),
    ).toEqual([1, 1, 1, 1, 3]);
    const parent = recordingOf([leaf, leaf, { parent: 1, pruned: 1, round: 1 }]);
    expect(layOut(parent).boxes).toHaveLength(3);
  });

  it("draws all that was pruned together as its best, in a tree of thousands", () => {
    const crowd = Array.from({ length: 1_000 }, (_, i) => ({ text: `${i}\n`, pruned: 1 + (i % 2), score: i / 1_000 }));
    expect(layOut(recordingOf(crowd)).boxes).toHaveLength(1_000);
    const recording = recordingOf([...crowd, {}]);
    const folded = layOut(recording).boxes.filter(({ step }) => step.pruned !== null);
    expect(folded.map(({ step, count }) => [step.text, count])).toEqual([
      ["999\n", 500],
      ["998\n", 500],
    ]);
    expect(treePicture(viewOf(recording))).toContain("the best of 500 pruned together");
  });

  it("begins each attempt at the left, below the one before", async () => {
    const { recording } = await watch(revisions({ chains: 2, length: 3 }), [wrong(0.5)]);
    const given = layOut(recording).boxes.filter(({ step }) => step.given);
    expect(given.map(({ depth }) => depth)).toEqual([1, 1, 1, 1]);
    for (const box of given) expect(box.row).toBeGreaterThan(box.parent!.row);
  });
});

describe("treePicture", () => {
  it("tells of every step when it was written, when pruned, and what it scored", async () => {
    const { recording } = await watch(beamSearch({ n: 4, beamWidth: 2 }), needle(3));
    const boxes = boxesOf(recording).slice(1); // without the question
    expect(boxes).toHaveLength(layOut(recording).boxes.length);
    for (const { attributes } of boxes) {
      const step = recording.steps[Number(attributes["id"]!.replace("tree-", ""))]!;
      expect(attributes["data-round"]).toBe(String(step.round));
      expect(attributes["data-pruned"]).toBe(String(step.pruned ?? ""));
      expect(attributes["data-note"]).toContain(`score ${step.score!.toFixed(3)}`);
      expect(attributes["class"]!.includes("pruned")).toBe(step.pruned !== null);
      expect(attributes["aria-label"]).toContain(step.text);
    }
  });

  it("can be reached by the keyboard through one tab stop", async () => {
    const { recording } = await watch(beamSearch({ n: 4, beamWidth: 2 }), needle(3));
    const stops = boxesOf(recording).map(({ attributes }) => attributes["tabindex"]);
    expect(stops.filter((stop) => stop === "0")).toHaveLength(1);
  });

  it("marks right and wrong solutions where the answer is known, and solutions alone where not", () => {
    const solution = (answer: string) => ({ solution: { answer, score: 0.5, whole: true } });
    const recording = recordingOf([solution("right"), solution("wrong")], 0);
    expect(treePicture(viewOf(recording))).toContain("chose <b>right (right)</b>");
    expect(treePicture(viewOf(recording))).toMatch(/>✓<[^]*>✗</);
    expect(treePicture({ ...viewOf(recording), expected: null })).not.toMatch(/class="mark"[^>]*>[✓✗]/);
  });

  it("escapes hostile steps, questions and answers", () => {
    const solution = { answer: hostile, score: null, whole: true };
    const recording = recordingOf([{ text: hostile, solution, score: null }], 0);
    const html = treePicture({ ...viewOf(recording), question: hostile, expected: hostile });
    expect(html).not.toContain("<script");
    expect(boxesOf(recording)[1]!.attributes["data-text"]).toContain("&lt;script&gt;");
  });

  it("draws a search that wrote nothing", () => {
    expect(boxesOf(recordingOf([]))).toHaveLength(1);
  });
});

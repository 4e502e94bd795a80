/** The demonstration, from outside. */
import { describe, expect, it } from "vitest";
import { modelFlags, models, thinktree, unlessModels } from "./thinktree.js";

describe.skipIf(unlessModels.skip)("thinktree demo (needs models/)", () => {
  it("shows that search answers what the model alone gets wrong", async () => {
    const { code, stdout, stderr } = await thinktree(["demo", ...modelFlags, "--questions", models!.heldOut]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const right = (label: string) => Number(new RegExp(`^ +${label}.* (\\d+) of 5$`, "m").exec(stdout)?.[1]);
    expect(right("beam search")).toBeGreaterThan(right("alone"));
    expect(stdout).toMatch(/How beam search solved question \d/);
    expect(stdout).toMatch(/█ \d\.\d{3} {2}A: -?\d+/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("asks as many questions as it is told to", async () => {
    const { stdout } = await thinktree(["demo", ...modelFlags, "--questions", models!.heldOut, "--count", "1"]);
    expect(stdout.match(/^ {2}\d+\. /gm)).toEqual(["  1. "]);
    expect(stdout).toContain("This question is the first held-out");
  });
});

/** `thinktree calibrate` and `thinktree reproduce` from outside, on real models, and a policy at work. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { checkPolicy, type Policy } from "../../lib/scheduler/policy.js";
import { easy, ended, modelFlags, models, start, thinktree, unlessModels, type Ended } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-calibrate-"));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (path: string) => checkPolicy(JSON.parse(readFileSync(path, "utf8")));
const text = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** The signal comes when the journal has some records, and long before it has all. */
async function interrupted(args: readonly string[], signal: NodeJS.Signals, journal: string): Promise<Ended> {
  const child = start(args);
  const end = ended(child);
  while (text(journal).split("\n").length < 6 && child.exitCode === null) await setTimeout(20);
  child.kill(signal);
  return end;
}

describe.skipIf(unlessModels.skip)("thinktree calibrate (needs models/)", () => {
  const questions = ["--questions", models?.heldOut ?? ""];
  let policy: Policy;
  let page = "";
  beforeAll(async () => {
    const flags = ["--limit", "12", "--budgets", "4,1,8", "--bins", "0.5,1", "--out", file("policy.json")];
    const { code, stdout, stderr } = await thinktree(["calibrate", ...questions, ...modelFlags, ...flags]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    [policy, page] = [read(file("policy.json")), stdout];
  });

  it("writes a policy for these models, and says what it found", () => {
    expect(policy.calibration).toMatchObject({ questions: 12, samples: 8, seed: 1 });
    expect(policy.models!.generator).toMatch(/^sha256:/);
    expect(Object.keys(policy.bins).sort()).toEqual(["agreement", "question", "score"]);
    expect(policy.bins.question!.every(({ entries }) => entries.map(({ budget }) => budget).join() === "1,4,8")).toBe(
      true,
    );
    expect(policy.bins.score!.every(({ upTo }) => [0.5, 1].includes(upTo))).toBe(true);
    expect(policy.questionProbe!.weights).toHaveLength(128);
    expect(page).toMatch(/difficulty +budget 1 +budget 4/);
    expect(existsSync(`${file("policy.json")}.journal.jsonl`)).toBe(false);
  });

  it("is used by solve, and refused for other models unless forced", async () => {
    const solve = (...flags: string[]) => thinktree(["solve", easy, "--json", "--seed", "1", "--policy", ...flags]);
    const fitting = await solve(file("policy.json"), ...modelFlags);
    expect(fitting.code).toBe(0);
    expect(JSON.parse(fitting.stdout)).toMatchObject({ decision: { estimate: policy.estimate } });

    const other = { ...policy, models: { ...policy.models!, generator: "sha256:other" } };
    writeFileSync(file("other.json"), JSON.stringify(other));
    const refused = await solve(file("other.json"), ...modelFlags);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^thinktree: the policy was fitted for another generator: .*calibrate.*\n$/);
    expect((await solve(file("other.json"), "--force-policy", ...modelFlags)).code).toBe(0);
  });

  it("after Ctrl-C says what is kept and how to go on, and goes on", async () => {
    const [out, journal] = [file("broken.json"), file("broken.journal")];
    const flags = ["--limit", "16", "--budgets", "1,8", "--out", out, "--journal", journal];
    const command = ["calibrate", ...questions, ...modelFlags, ...flags];
    const { code, stdout, stderr } = await interrupted(command, "SIGINT", journal);
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    const [, done] = /^thinktree: stopped; (\d+) of \d+ runs are done and kept in .*broken\.journal: the same/.exec(
      stderr,
    )!;
    const kept = text(journal);
    expect(kept.trimEnd().split("\n")).toHaveLength(Number(done) + 1);
    expect(existsSync(out)).toBe(false);

    expect(await thinktree(command)).toMatchObject({ code: 0, stderr: "" });
    expect(read(out).calibration).toMatchObject({ questions: 16, samples: 8 });
    expect(text(journal).startsWith(kept)).toBe(true);
  });

  it.each([
    [["--bins", "0.5,0.4,1"], /rising edges/],
    [["--budgets", "0"], /whole number from 1/],
    [["--questions", "/nowhere.jsonl"], /nowhere\.jsonl/],
    [["--limit", "0"], /whole number/],
  ])("refuses %j with one line", async (flags, message) => {
    const { code, stdout, stderr } = await thinktree([
      "calibrate",
      ...questions,
      ...modelFlags,
      "--out",
      file("x.json"),
      ...flags,
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("the embedded models", () => {
  it("have a policy of their own, which is used without being named", async () => {
    const { code, stdout } = await thinktree(["solve", easy, "--json", "--seed", "1"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ answer: "19", decision: { estimate: "score" } });
  });
});

describe("thinktree reproduce", () => {
  it(
    "after a signal goes on; writes one page with every figure and finding, and cleans up",
    {
      timeout: 300_000,
    },
    async () => {
      const work = `${file("report.html")}.work`;
      const command = ["reproduce", "--limit", "10", "--out", file("report.html")];
      const stopped = await interrupted(command, "SIGTERM", join(work, "search.jsonl"));
      expect(stopped).toMatchObject({ code: 143, stdout: "" });
      expect(stopped.stderr).toMatch(
        /^thinktree: stopped; what is done is kept in .*report\.html\.work: the same command/,
      );
      expect(existsSync(work)).toBe(true);

      const { code, stdout, stderr } = await thinktree(command);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/reproduced|unclear here/);
      const page = readFileSync(file("report.html"), "utf8");
      for (const id of [
        "search-methods",
        "by-difficulty",
        "compute-optimal",
        "revisions",
        "flops-matched",
        "tree-beam",
      ])
        expect(page).toContain(`id="${id}"`);
      expect(page).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="https?:/);
      expect(existsSync(work)).toBe(false);
    },
  );
});

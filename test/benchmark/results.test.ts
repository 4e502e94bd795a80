import { describe, expect, it } from "vitest";
import { Countdown, type Progress } from "../../lib/benchmark/countdown.js";
import { csvOf } from "../../lib/benchmark/csv.js";
import { busyShare, busyWarning } from "../../lib/benchmark/machine-load.js";
import { machineOf } from "../../lib/benchmark/machine.js";
import { resultOf } from "../../lib/benchmark/results.js";
import { round, sample, settings } from "./sample.js";

describe("resultOf", () => {
  const found = resultOf(4, settings, [round(4, 3), round(4, 5, { tokens: 60, residentMib: 200 })]);

  it("takes latencies over all steps of all rounds, and speed by the round", () => {
    expect(found.stepMs.p50).toBe(4.5); // of 3, 4, 5, 6
    expect(found.stepMs.p95).toBeCloseTo(5.85);
    expect(found.stepMs.p99).toBeCloseTo(5.97);
    expect(found.tokenMs.p50).toBe(4.5 / 8);
    expect(found.firstTokenMs.p50).toBe(40);
    const [slow, fast] = [60_000 / 11, 64_000 / 7];
    expect(found.tokensPerSecond).toEqual({ median: (slow + fast) / 2, least: slow, most: fast });
  });

  it("says what was asked for and what was written, and where the time went", () => {
    expect(found).toMatchObject({ tokens: 124, tokensAsked: 128, decodes: 32, decodeMs: 9, verifyMs: 4.5 });
    expect(found.verifierShare).toBe(0.25);
    expect(found.hostMsPerDecode).toBeCloseTo((18 - 9 - 4.5) / 32);
    expect(found).toMatchObject({ kvCellsPeak: 576, residentMib: 200 });
    expect(found.rounds).toEqual([
      { firstTokenMs: 30, stepMs: [3, 4], tokens: 64 },
      { firstTokenMs: 50, stepMs: [5, 6], tokens: 60 },
    ]);
  });

  it("has no verifier's share without a verifier", () => {
    const alone = resultOf(1, settings, [round(1, 3, { verifyMs: 0, verifierDecodes: 0 })]);
    expect(alone.verifierShare).toBeNull();
  });
});

describe("csvOf", () => {
  const rows = (text: string) => text.split("\r\n").map((line) => line.split(","));

  it("has a row a number of branches, under the names of the JSON's fields", () => {
    const found = sample();
    const [names, ...values] = rows(csvOf(found));
    expect(values).toHaveLength(3);
    expect(values.pop()).toEqual([""]);
    const read = (row: string[], name: string) => row[names!.indexOf(name)];
    for (const [i, row] of values.entries()) {
      const result = found.results[i]!;
      expect(row).toHaveLength(names!.length);
      expect(read(row, "branches")).toBe(String(result.branches));
      expect(read(row, "stepMsP95")).toBe(String(result.stepMs.p95));
      expect(read(row, "tokensPerSecondMedian")).toBe(String(result.tokensPerSecond.median));
      expect(read(row, "threads")).toBe("");
      expect(read(row, "gpuLayers")).toBe("0");
    }
    const scalars = Object.entries(found.results[0]!).filter(([, value]) => typeof value === "number");
    for (const [name] of scalars) expect(names).toContain(name);
  });

  it("quotes what would break a row", () => {
    const machine = { ...sample().machine, cpu: 'A "fast", large CPU' };
    expect(csvOf(sample({ machine }))).toContain(',"A ""fast"", large CPU",');
  });
});

describe("Countdown", () => {
  it("counts parts, and promises nothing before all was measured once", async () => {
    const told: Progress[] = [];
    const countdown = new Countdown([1, 16], 2, 3, (progress) => told.push(progress));
    const run = () =>
      countdown.during((part) => {
        for (let i = 0; i < 3; i++) part();
        return Promise.resolve("done");
      });
    for (let i = 0; i < 4; i++) expect(await run()).toBe("done");
    expect(told.at(-1)).toMatchObject({ done: 12, total: 12, branches: 16 });
    expect(told.map(({ branches }) => branches)).toEqual(
      [1, 16, 1, 16].flatMap((count) => [count, count, count, count]),
    );
    expect(told.slice(0, 8).every(({ remainingMs }) => remainingMs === null)).toBe(true);
    expect(told.slice(8).every(({ remainingMs }) => remainingMs !== null && remainingMs >= 0)).toBe(true);
  });
});

describe("the machine", () => {
  it("is told in numbers and names of kinds", () => {
    const { cpu, cores, memoryGib, os, busyShare } = machineOf(0.5);
    expect(cpu).not.toBe("");
    expect(cores).toBeGreaterThan(0);
    expect(memoryGib).toBeGreaterThan(0);
    expect(os).toMatch(/^\w+ \d[\d.]* \w+$/);
    expect(busyShare).toBe(0.5);
  });

  it("is watched for a moment, and warned of when others use it", async () => {
    const share = await busyShare();
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThanOrEqual(1);
    expect(busyWarning(0.05)).toBeUndefined();
    expect(busyWarning(0.5)).toBe("others use 50% of the machine; the figures will be off");
  });
});

/** A journal killed anywhere resumes; another run's is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { Journal } from "../../lib/evaluation/journal.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-journal-"));
const path = join(folder, "run.journal");
beforeEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = { task: "test", seed: 1, models: { generator: "a", verifier: null } };
/** Texts that are hard on a format of lines. */
const value = (i: number) => ({ i, text: `line\nbreak \u2028 é 𝄞 "${"x".repeat(i % 7)}"` });
const keys = Array.from({ length: 12 }, (_, i) => `question ${i}\n`);

/** Does all work that is not in the journal yet; returns how much that was. */
async function work(upTo = keys.length): Promise<number> {
  const journal = await Journal.open<ReturnType<typeof value>>(path, run);
  let paid = 0;
  for (const [i, key] of keys.slice(0, upTo).entries()) {
    if (journal.get(key) !== undefined) continue;
    paid++;
    await journal.append(key, value(i));
  }
  for (const [i, key] of keys.slice(0, upTo).entries()) expect(journal.get(key)).toEqual(value(i));
  await journal.close();
  return paid;
}

describe("Journal", () => {
  it("ends the same after a kill at any byte, and redoes no more than the record that was cut", async () => {
    await work();
    const unbroken = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: unbroken.length }), async (killedAt) => {
        const left = unbroken.subarray(0, killedAt);
        writeFileSync(path, left);
        const kept = Math.max(0, left.filter((byte) => byte === 0x0a).length - 1);
        expect(await work()).toBe(keys.length - kept);
        expect(readFileSync(path)).toEqual(unbroken);
      }),
      { numRuns: 200 },
    );
  });

  it("writes in the order of appending, also when nobody waits", async () => {
    const journal = await Journal.open<number>(path, run);
    await Promise.all(keys.map((key, i) => journal.append(key, i)));
    expect(journal.size).toBe(keys.length);
    await journal.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n").slice(1);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(keys.map((key, i) => ({ key, value: i })));
  });

  it("closes after what is being appended", async () => {
    const journal = await Journal.open<number>(path, run);
    const appended = journal.append("a", 1);
    await journal.close();
    await appended;
    expect((await Journal.open<number>(path, run)).get("a")).toBe(1);
  });

  it("takes runs for equal whatever the order of their fields", async () => {
    await (await Journal.open<number>(path, run)).append("a", 1);
    const { models, ...others } = run;
    expect(
      (await Journal.open<number>(path, { models: { verifier: models.verifier, generator: "a" }, ...others })).size,
    ).toBe(1);
  });

  it("refuses another run's, and says what differs", async () => {
    await work(3);
    const before = readFileSync(path);
    await expect(Journal.open(path, { ...run, seed: 2, limit: 3 })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(
        /run\.journal belongs to another run \(other seed, limit\): name another/,
      ) as string,
    });
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([
    ["a text without a line break", "my notes"],
    ["a text", "my notes\nare precious\n"],
    ["JSON of another kind", '{"question":"1+1?","answer":"2"}\n'],
  ])("refuses a file that is %s, and leaves it alone", async (_, text) => {
    writeFileSync(path, text);
    await expect(Journal.open(path, run)).rejects.toThrow(/is not a journal: name another file/);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("refuses one that is damaged before its end", async () => {
    await work(3);
    writeFileSync(path, readFileSync(path, "utf8").replace('{"key":"question 1', '{"kez":"question 1'));
    await expect(Journal.open(path, run)).rejects.toThrow(/run\.journal:3 is damaged/);
  });

  it("says so if it cannot be written", async () => {
    await expect(Journal.open(join(folder, "no", "folder"), run)).rejects.toThrow(/cannot open the journal/);
  });

  it("refuses a second value for a key", async () => {
    const journal = await Journal.open<number>(path, run);
    await journal.append("a", 1);
    expect(() => journal.append("a", 2)).toThrow(/already/);
    await journal.close();
  });
});

/** The same records, whatever they are kept in. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { rowsOf, type Row } from "../../../lib/evaluation/data-sets/rows.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-rows-"));
const file = join(folder, "file"); // its name tells nothing
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all(found: AsyncIterable<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of found) rows.push(row);
  return rows;
}

async function rows(content: string | Buffer, path = file) {
  writeFileSync(path, content);
  return all(rowsOf(path));
}

// Written by DuckDB.
const parquet = (name: string) => fileURLToPath(new URL(`${name}.parquet`, import.meta.url));

const records = [
  { question: "é\u2028?", answer: 1, steps: ["a\n", "b"] },
  { question: "b", label: -1 },
];
const lines = `${JSON.stringify(records[0])}\n\n${JSON.stringify(records[1])}`;
const values = async (content: string | Buffer) => (await rows(content)).map(({ value }) => value);

describe("rowsOf", () => {
  it("reads JSON lines and says which", async () => {
    expect(await rows(lines)).toEqual([
      { value: records[0], place: `${file}:1` },
      { value: records[1], place: `${file}:3` },
    ]);
  });

  it("reads a JSON array and says which record", async () => {
    expect(await rows(` \n${JSON.stringify(records, null, 2)}\n`)).toEqual([
      { value: records[0], place: `${file}, record 1` },
      { value: records[1], place: `${file}, record 2` },
    ]);
  });

  it("reads both gzipped, also in several members, and behind a byte order mark", async () => {
    const halves = [lines.slice(0, 30), lines.slice(30)].map((half) => gzipSync(half));
    for (const content of [
      gzipSync(lines),
      Buffer.concat(halves),
      gzipSync(JSON.stringify(records)),
      `\ufeff${lines}`,
    ]) {
      expect(await values(content)).toEqual(records);
    }
    expect(await values(`\ufeff${JSON.stringify(records)}`)).toEqual(records);
  });

  it("reads Parquet: lists, numbers of 64 bits, nothing for null; Snappy and Zstandard; several row groups", async () => {
    const judged = await all(rowsOf(parquet("processbench")));
    expect(judged).toEqual([
      {
        value: {
          ...{ id: "made-up-0", generator: "a model", problem: "2+2?", steps: ["2+2=4", "#### 4"] },
          ...{ final_answer_correct: true, label: -1 },
        },
        place: `${parquet("processbench")}, record 1`,
      },
      {
        value: {
          ...{ id: "made-up-1", problem: "2*3+1?", steps: ["2*3=6", "6+1=8", "#### 8"] },
          ...{ final_answer_correct: false, label: 1 },
        },
        place: `${parquet("processbench")}, record 2`,
      },
    ]);
    const many = await all(rowsOf(parquet("math500")));
    expect(many).toHaveLength(2050);
    expect(many.at(-1)).toMatchObject({ value: { answer: "2050", level: 5 }, place: /, record 2050$/ });
  });

  it("leaves nulls out of records, also inside", async () => {
    expect(await values('{"a": null, "b": {"c": null, "d": [null, 1]}}')).toEqual([{ b: { d: [null, 1] } }]);
  });

  it("reads from a pipe", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const [found] = await Promise.all([all(rowsOf(pipe)), writeFile(pipe, gzipSync(lines))]);
    expect(found.map(({ value }) => value)).toEqual(records);
  });

  it("reads no more than is asked for", async () => {
    writeFileSync(file, `${lines}\nno JSON`);
    for await (const { value } of rowsOf(file)) {
      expect(value).toEqual(records[0]);
      break;
    }
  });

  it("has none in an empty file", async () => {
    for (const content of ["", "\n \n", "[]", gzipSync("")]) expect(await rows(content)).toEqual([]);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ["a line that is no JSON", `${lines}\n{"a":`, /file:4 is not JSON \(.+\): expected JSON lines/],
    ["an array that does not end", '[{"a": 1},', /file is not JSON/],
    ["gzip that is cut", gzipSync(lines).subarray(0, 40), /cannot read .*file: unexpected end of file/],
    ["gzip that is broken", Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9]), /cannot read .*file: /],
    ["Parquet that is cut", Buffer.from("PAR1 and nothing else"), /cannot read .*file: /],
  ])("refuses %s", async (_, content, message) => {
    await expect(rows(content)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message) as string,
    });
  });

  it("survives broken Parquet: records, or a typed error, and nothing fails unseen", async () => {
    const unseen: unknown[] = [];
    const hear = (error: unknown) => unseen.push(error);
    process.on("unhandledRejection", hear);
    const content = readFileSync(parquet("processbench"));
    const place = fc.integer({ min: 4, max: content.length - 1 });
    await fc.assert(
      fc.asyncProperty(place, place, fc.nat(255), fc.nat(255), async (a, b, x, y) => {
        const broken = Buffer.from(content);
        [broken[a], broken[b]] = [x, y];
        await rows(broken).catch((error: unknown) => expect(error).toMatchObject({ code: "INVALID_OPTION" }));
      }),
      { numRuns: 600, seed: 1 },
    );
    await setImmediate();
    process.off("unhandledRejection", hear);
    expect(unseen).toEqual([]);
  });

  it("refuses a file that is not there, and a folder", async () => {
    for (const path of [join(folder, "none"), folder]) {
      await expect(all(rowsOf(path))).rejects.toThrow(/cannot read /);
    }
  });
});

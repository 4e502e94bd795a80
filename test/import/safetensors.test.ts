/** A file that is cut short, or claims what cannot be, is refused with a word on what is wrong; a good one is read in pieces. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { Checkpoint } from "../../lib/models/checkpoint.js";
import { SafetensorsFile } from "../../lib/models/safetensors.js";
import { safetensors } from "../support/checkpoints.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = new Uint8Array(24).map((_, i) => i);
const good = safetensors("F32", [
  { name: "a", shape: [2], bytes: bytes.subarray(0, 8) },
  { name: "b", shape: [2, 2], bytes: bytes.subarray(8) },
]);

function file(name: string, content: Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function withHeader(header: unknown, length?: bigint): Buffer {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([size, text, bytes]);
}

describe("a safetensors file", () => {
  it("is read a piece at a time", async () => {
    await using found = await SafetensorsFile.open(file("good", good));
    expect([...found.tensors.keys()]).toEqual(["a", "b"]);
    const b = found.tensors.get("b")!;
    expect(b).toMatchObject({ type: "F32", shape: [2, 2], bytes: 16 });
    expect([...(await b.read(4, 8))]).toEqual([...bytes.subarray(12, 20)]);
    expect(() => b.read(12, 8)).toThrow(/no bytes 12 to 20/);
  });

  it("that shrinks while it is read is noticed", async () => {
    const path = file("shrinking", good);
    await using found = await SafetensorsFile.open(path);
    truncateSync(path, good.length - 8);
    await expect(found.tensors.get("b")!.read(0, 16)).rejects.toThrow(/ends too early/);
  });

  const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(), /too short for a header/],
    ["a header longer than the file", withHeader({ a: entry }, 1n << 40n), /longer than the file/],
    ["a header as long as no number", withHeader({ a: entry }, (1n << 64n) - 1n), /longer than the file/],
    ["no JSON", withHeader("{a"), /no JSON object/],
    ["a list", withHeader("[]"), /no JSON object/],
    ["no offsets", withHeader({ a: { dtype: "F32", shape: [2] } }), /entry of a is not/],
    ["negative offsets", withHeader({ a: { ...entry, data_offsets: [-8, 0] } }), /entry of a is not/],
    ["offsets the wrong way round", withHeader({ a: { ...entry, data_offsets: [8, 0] } }), /a has -8 bytes/],
    ["a shape of another size", withHeader({ a: { ...entry, shape: [3] } }), /which is not F32 of shape \[3\]/],
    ["a shape past all numbers", withHeader({ a: { ...entry, shape: [2 ** 52, 2 ** 52] } }), /a has 8 bytes/],
    ["data past the end", withHeader({ a: { ...entry, data_offsets: [20, 28] } }), /beyond the end of the file/],
    [
      "a type with no width and data past the end",
      withHeader({ a: { ...entry, dtype: "F8_E5M2", data_offsets: [0, 99] } }),
      /beyond the end/,
    ],
  ])("with %s is refused", async (name, content, message) => {
    const opened = SafetensorsFile.open(file(name.replaceAll(" ", "-"), content));
    await expect(opened).rejects.toMatchObject({
      code: "MODEL_LOAD_FAILED",
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("a checkpoint's shards", () => {
  const opened = async (index: object) => {
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
    file("one.safetensors", good);
    await using checkpoint = await Checkpoint.open(folder);
    return [...checkpoint.tensors.keys()];
  };

  it("are found by the index", async () => {
    expect(await opened({ weight_map: { b: "one.safetensors" } })).toEqual(["b"]);
  });

  it.each<[string, object, RegExp]>([
    ["a missing one", { weight_map: { a: "two.safetensors" } }, /cannot read .*two\.safetensors/],
    ["one without the tensor", { weight_map: { c: "one.safetensors" } }, /seeks c in one\.safetensors/],
    ["one elsewhere", { weight_map: { a: "../one.safetensors" } }, /no safetensors file of the folder: \.\.\/one/],
    ["the folder above", { weight_map: { a: ".." } }, /no safetensors file of the folder/],
    ["no map", {}, /index\.json: weight_map/],
  ])("are refused with %s", async (_, index, message) => {
    await expect(opened(index)).rejects.toMatchObject({
      code: "MODEL_LOAD_FAILED",
      message: expect.stringMatching(message) as string,
    });
  });

  it("or a single file must be there", async () => {
    await expect(Checkpoint.open(join(folder, "nowhere"))).rejects.toThrow(/no such folder/);
    const empty = mkdtempSync(join(folder, "empty-"));
    await expect(Checkpoint.open(empty)).rejects.toThrow(
      /neither model\.safetensors nor .*\.bin file must be saved anew/,
    );
  });
});

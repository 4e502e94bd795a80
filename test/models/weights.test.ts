/** Weights in other number formats: the bits where they are known, else as close as the format's steps. */
import { describe, expect, it } from "vitest";

import { convertWeights, rowBytes, type WeightFormat } from "../../lib/engine/weights.js";

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const floatsOf = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
const halves = (...bits: number[]) => new Uint8Array(Uint16Array.from(bits).buffer);
const wave = Array.from({ length: 512 }, (_, i) => Math.sin(i) * (1 + (i % 7)));

describe("convertWeights", () => {
  it("knows the bits of F16 and BF16", async () => {
    const values = bytesOf([1, -2, 65504, 2 ** -24]);
    expect(Uint8Array.from(await convertWeights(values, "F32", "F16", 4))).toEqual(halves(0x3c00, 0xc000, 0x7bff, 1));
    expect(Uint8Array.from(await convertWeights(values, "F32", "BF16", 4))).toEqual(
      halves(0x3f80, 0xc000, 0x4780, 0x3380),
    );
    expect(floatsOf(await convertWeights(halves(0x3c00, 0xc000), "F16", "F32", 2))).toEqual([1, -2]);
    expect(floatsOf(await convertWeights(halves(0x3f80, 0xc000), "BF16", "F32", 2))).toEqual([1, -2]);
    expect(Uint8Array.from(await convertWeights(halves(0x3f80, 0xc000), "BF16", "F16", 2))).toEqual(halves(0x3c00, 0xc000));
  });

  it("makes blocks of Q8_0: a scale, and 32 numbers of 8 bits", async () => {
    const blocks = Buffer.from(await convertWeights(bytesOf(wave), "F32", "Q8_0", 64));
    expect(blocks).toHaveLength(16 * 34);
    for (let i = 0; i < wave.length; i++) {
      const at = Math.floor(i / 32) * 34;
      const [scale] = floatsOf(await convertWeights(blocks.subarray(at, at + 2), "F16", "F32", 1));
      expect(Math.abs(blocks.readInt8(at + 2 + (i % 32)) * scale! - wave[i]!)).toBeLessThan(0.6 * scale!);
    }
  });

  it.each<WeightFormat>(["Q6_K", "Q5_K", "Q4_K", "Q4_0"])("makes as many bytes of %s as its blocks have", async (format) => {
    expect(await convertWeights(bytesOf(wave), "F32", format, 256)).toHaveLength(2 * rowBytes(format, 256));
  });

  it.each<[string, number[], WeightFormat, number, RegExp]>([
    ["infinite", [1, Infinity], "BF16", 2, /infinite or not a number/],
    ["not a number", [NaN], "F16", 1, /infinite or not a number/],
    ["too large", [65536], "F16", 1, /65536\.0+ is too large for f16/],
    ["a part of a block", [1, 2], "Q8_0", 2, /rows of 2 numbers do not fit q8_0/],
    ["a part of a row", [1, 2, 3], "F16", 2, /the 12 bytes given/],
    ["rows of nothing", [], "F16", 0, /rows of 0 numbers/],
  ])("refuses what is %s", async (_, values, format, columns, message) => {
    const converted = convertWeights(bytesOf(values), "F32", format, columns);
    await expect(converted).rejects.toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(message) as string });
  });

  it("has no memory between calls that run at once", async () => {
    const all = await Promise.all(wave.map((value) => convertWeights(bytesOf([value]), "F32", "BF16", 1)));
    const alone = await convertWeights(bytesOf(wave), "F32", "BF16", 1);
    expect(Buffer.concat(all).equals(alone)).toBe(true);
  });
});

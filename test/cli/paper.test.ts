import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import { floatingPointOperations, gauge, grouped, harmless, paperOf, seconds, wrap } from "../../lib/cli/paper.js";

const plain = { columns: 80, colors: picocolors.createColors(false) };

describe("wrap", () => {
  it("breaks between words, and inside a word that is too long", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrap("one two", 7)).toEqual(["one two"]);
    expect(wrap("abcdefghij kl", 4)).toEqual(["abcd", "efgh", "ij", "kl"]);
    expect(wrap("", 4)).toEqual([""]);
  });

  it("keeps line breaks, and characters whole", () => {
    expect(wrap("a\n\nb", 4)).toEqual(["a", "", "b"]);
    expect(wrap("😀😀😀", 2)).toEqual(["😀😀", "😀"]);
  });

  it("never exceeds the width", () => {
    for (let width = 1; width < 12; width++) {
      for (const line of wrap("a bb ccc dddd eeeee ffffff  ggggggg", width))
        expect(line.length).toBeLessThanOrEqual(width);
    }
  });
});

describe("harmless", () => {
  it("shows control characters as pictures and leaves text alone", () => {
    expect(harmless("a\u001b[31mb\u0007\r")).toBe("a␛[31mb␇␍");
    expect(harmless("\u009b2J\u202e")).toBe("\ufffd2J\ufffd");
    expect(harmless("Ünï → 漢字\n")).toBe("Ünï → 漢字\n");
  });
});

describe("gauge", () => {
  it("draws a score, and keeps the place of one that is missing", () => {
    expect(gauge(1, plain)).toBe("████████ 1.000");
    expect(gauge(0.5, plain)).toBe("████░░░░ 0.500");
    expect(gauge(1.7e-7, plain)).toBe("░░░░░░░░ 0.000");
    expect(gauge(null, plain)).toBe(" ".repeat("████████ 1.000".length));
  });

  it("colours it by worth", () => {
    const colors = picocolors.createColors(true);
    expect(gauge(0.9, { ...plain, colors })).toContain("\u001b[32m");
    expect(gauge(0.2, { ...plain, colors })).toContain("\u001b[33m");
    expect(gauge(0.01, { ...plain, colors })).toContain("\u001b[31m");
  });
});

describe("numbers", () => {
  it("are grouped", () => {
    expect([0, 999, 1264, 5217618.4].map(grouped)).toEqual(["0", "999", "1,264", "5,217,618"]);
  });

  it("are times", () => {
    expect([0, 314, 9_994, 9_996, 59_900, 59_960, 185_000].map(seconds)).toEqual([
      "0.00 s",
      "0.31 s",
      "9.99 s",
      "10.0 s",
      "59.9 s",
      "1 min 0 s",
      "3 min 5 s",
    ]);
  });

  it("are operations", () => {
    expect([0, 999, 901970432, 5217618432, 1e15].map(floatingPointOperations)).toEqual([
      "0 FLOP",
      "999 FLOP",
      "902 MFLOP",
      "5.22 GFLOP",
      "1 PFLOP",
    ]);
  });
});

describe("paperOf", () => {
  const stream = (parts: object) => parts as NodeJS.WriteStream;

  it("is as wide as the terminal, within reason, and 80 columns without one", () => {
    expect(paperOf(stream({})).columns).toBe(80);
    expect(paperOf(stream({ isTTY: true, columns: 60, rows: 24 })).columns).toBe(60);
    expect(paperOf(stream({ isTTY: true, columns: 300, rows: 24 })).columns).toBe(100);
    expect(paperOf(stream({ isTTY: true, columns: 0, rows: 0 })).columns).toBe(80);
  });

  it("has no colours without a terminal", () => {
    expect(paperOf(stream({})).colors.isColorSupported).toBe(false);
  });
});

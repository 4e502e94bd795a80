/** Patterns end a step where the language's own regular expressions first match. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { StepPattern } from "../../lib/engine/codec.js";
import { patternOf } from "../../lib/scheduler/step-pattern.js";
import { stepEndOf, stepRuleSchema } from "../../lib/scheduler/step-rule.js";

/** As native/scheduler/pattern.cpp reads it: after how many characters a match has ended; -1: never. */
function endOf({ places, first, last }: StepPattern, text: string): number {
  let reached = new Set<number>();
  for (const [i, character] of [...text].entries()) {
    const code = character.codePointAt(0)!;
    const wanted = [...first, ...[...reached].flatMap((place) => places[place]!.next)];
    reached = new Set(
      wanted.filter((place) => places[place]!.characters.some(([from, to]) => from <= code && code <= to)),
    );
    if (last.some((place) => reached.has(place))) return i + 1;
  }
  return -1;
}

function expected(source: string, flags: string, text: string): number {
  const regex = new RegExp(source, `${flags}u`);
  const letters = [...text];
  for (let n = 1; n <= letters.length; n++) if (regex.test(letters.slice(0, n).join(""))) return n;
  return -1;
}

describe("a pattern", () => {
  const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\n", "\\.", "[a-c\\d]", "é", "\\p{Lu}");
  const { source } = fc.letrec<{ source: string }>((tie) => ({
    source: fc.oneof(
      { depthSize: "small" },
      atom,
      fc.tuple(tie("source"), tie("source")).map(([a, b]) => a + b),
      fc.tuple(tie("source"), tie("source")).map(([a, b]) => `(?:${a}|${b})`),
      fc
        .tuple(tie("source"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{2,}", "{0}", "+?"))
        .map(([a, q]) => `(${a})${q}`),
    ),
  }));
  const text = fc.array(fc.constantFrom(..."aabbcB1.\né😀"), { maxLength: 9 }).map((letters) => letters.join(""));

  it("ends where the first match does", () => {
    fc.assert(
      fc.property(source, fc.constantFrom("", "i", "s"), text, (source, flags, text) => {
        fc.pre(!new RegExp(`^(?:${source})$`, `${flags}u`).test(""));
        expect(endOf(patternOf(source, flags), text)).toBe(expected(source, flags, text));
      }),
      { numRuns: 40 }, // each asks the language about every character there is
    );
  });

  it.each<[string, RegExp]>([
    ["^a", /\^ cannot be searched/],
    ["a$", /\$ cannot be searched/],
    ["\\ba", /cannot be searched/],
    ["(?=a)b", /cannot be searched/],
    ["(a)\\1", /cannot be searched/],
    ["a*", /matches nothing at all/],
    ["(a", /Unterminated group/],
    ["(a{100}){3}", /more than 256/],
    ["a{1000000000}", /more than 256/],
  ])("%s is refused", (source, message) => {
    expect(() => patternOf(source)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => patternOf(source)).toThrow(message);
  });

  it("has flags that mean something", () => {
    expect(endOf(patternOf("step", "i"), "a STEP")).toBe(6);
    expect(() => patternOf("a", "v")).toThrow(/flags v/);
  });
});

describe("a rule", () => {
  it("is said in one way", () => {
    expect(stepEndOf({ delimiter: "\n\n" })).toEqual({ delimiters: ["\n\n"] });
    expect(stepEndOf({ delimiter: ["\n", "</step>"] })).toEqual({ delimiters: ["\n", "</step>"] });
    expect(stepEndOf({ tokens: 32 })).toEqual({ delimiters: [], tokens: 32 });
    expect(stepEndOf({ confidence: 0.5 })).toEqual({ delimiters: [], leastLogProbability: Math.log(0.5) });
    expect(stepEndOf({ whole: true })).toEqual({ delimiters: [] });
    expect(stepEndOf({ pattern: /A/i })).toEqual(stepEndOf({ pattern: "A", flags: "i" }));
  });

  it.each([{}, { delimiter: "" }, { tokens: 0 }, { confidence: 1 }, { tokens: 3, delimiter: "a" }])(
    "%j is none",
    (rule) => {
      expect(stepRuleSchema.safeParse(rule).success).toBe(false);
    },
  );
});

/**
 * A regular expression as the engine searches for it: characters in their places, and which places may follow which.
 *
 * Owns: what of a regular expression can be searched for in a text that grows, in time linear in the text.
 * Must not know: steps.
 *
 * Supported is what ECMAScript has with the flag u, and of other flags i and s: characters, escapes, classes, \p{...}, the dot,
 * groups, alternatives, and quantifiers; the first end of any match counts, so that greed makes no difference. Not supported:
 * anchors, \b, looking around, back-references; and more than 256 characters once counted repetitions are written out. The
 * automaton is Glushkov's (1961).
 */
import { RegExpParser, type AST } from "@eslint-community/regexpp";

import type { StepPattern } from "../engine/codec.js";
import { ThinkTreeError } from "../errors.js";

const mostPlaces = 256;
const lastCodePoint = 0x10ffff;

type Ranges = StepPattern["places"][number]["characters"];

/** A part of the expression. Places are numbered in the order of building. */
interface Part {
  readonly first: readonly number[];
  readonly last: readonly number[];
  /** Whether it may be empty. */
  readonly empty: boolean;
}

const nothing: Part = { first: [], last: [], empty: true };

/** @throws {ThinkTreeError} INVALID_OPTION: what about it is not supported */
export function patternOf(source: string, flags = ""): StepPattern {
  if (/[^gimsuy]/.test(flags)) throw refused(source, `the flags ${flags}: only i, s and u have a meaning`);
  const withU = `${flags.replace(/[gmuy]/g, "")}u`;
  try {
    const parsed = new RegExpParser().parsePattern(source, 0, source.length, { unicode: true });
    return new Builder(source, withU).build(parsed);
  } catch (cause) {
    if (ThinkTreeError.isInstance(cause)) throw cause;
    throw refused(source, (cause as Error).message);
  }
}

class Builder {
  private readonly places: { characters: Ranges; next: Set<number> }[] = [];

  constructor(
    private readonly source: string,
    private readonly flags: string,
  ) {}

  build(pattern: AST.Pattern): StepPattern {
    const { first, last, empty } = this.either(pattern.alternatives);
    if (empty) throw refused(this.source, "it also matches nothing at all, and steps would never begin");
    const places = this.places.map(({ characters, next }) => ({ characters, next: [...next] }));
    return { places, first, last };
  }

  private either(alternatives: readonly AST.Alternative[]): Part {
    const parts = alternatives.map(({ elements }) =>
      this.sequence(elements.map((element) => () => this.part(element))),
    );
    return {
      first: parts.flatMap(({ first }) => first),
      last: parts.flatMap(({ last }) => last),
      empty: parts.some(({ empty }) => empty),
    };
  }

  private sequence(parts: readonly (() => Part)[]): Part {
    return parts.reduce<Part>((before, build) => {
      const after = build();
      this.follow(before, after);
      return {
        first: before.empty ? [...before.first, ...after.first] : before.first,
        last: after.empty ? [...before.last, ...after.last] : after.last,
        empty: before.empty && after.empty,
      };
    }, nothing);
  }

  private part(element: AST.Element): Part {
    switch (element.type) {
      case "Character":
      case "CharacterClass":
      case "CharacterSet":
        return this.place(charactersOf(element, this.flags));
      case "Group":
      case "CapturingGroup":
        return this.either(element.alternatives);
      case "Quantifier":
        return this.repeated(element);
      case "Assertion":
      case "Backreference":
      case "ExpressionCharacterClass":
        throw refused(this.source, `${element.raw} cannot be searched for in a text that is still being written`);
    }
  }

  private repeated({ element, min, max }: AST.Quantifier): Part {
    const once = () => this.part(element);
    const optional = (): Part => ({ ...once(), empty: true });
    const loop = (): Part => {
      const part = once();
      this.follow(part, part);
      return part;
    };
    if (max === 0) return nothing;
    if (max !== Infinity) {
      if (max > mostPlaces) throw this.tooLong();
      return this.sequence(Array.from({ length: max }, (_, i) => (i < min ? once : optional)));
    }
    if (min > mostPlaces) throw this.tooLong();
    if (min === 0) return { ...loop(), empty: true };
    return this.sequence(Array.from({ length: min }, (_, i) => (i < min - 1 ? once : loop)));
  }

  private place(characters: Ranges): Part {
    if (this.places.length === mostPlaces) throw this.tooLong();
    const at = this.places.push({ characters, next: new Set() }) - 1;
    return { first: [at], last: [at], empty: false };
  }

  private follow({ last }: Part, { first }: Part): void {
    for (const from of last) for (const to of first) this.places[from]!.next.add(to);
  }

  private tooLong(): ThinkTreeError {
    return refused(this.source, `it has more than ${mostPlaces} characters, with repetitions written out`);
  }
}

/** As the language's own engine says, asked about each code point. */
function charactersOf(node: AST.Character | AST.CharacterClass | AST.CharacterSet, flags: string): Ranges {
  if (node.type === "Character" && !flags.includes("i")) return [[node.value, node.value]];
  const matches = new RegExp(`^(?:${node.raw})$`, flags);
  const ranges: [number, number][] = [];
  for (let code = 0; code <= lastCodePoint; code++) {
    if (!matches.test(String.fromCodePoint(code))) continue;
    const before = ranges.at(-1);
    if (before?.[1] === code - 1) before[1] = code;
    else ranges.push([code, code]);
  }
  return ranges;
}

function refused(source: string, why: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", `steps: the pattern /${source}/ cannot be used: ${why}`);
}

/**
 * Whether a text that grows has come to a match of a pattern.
 *
 * Owns: running the automaton, as native/scheduler/pattern.cpp does. Must not know: regular expressions, steps.
 */
import type { StepPattern } from "../engine/codec.js";

export class PatternScan {
  private readonly first: ReadonlySet<number>;
  private readonly last: ReadonlySet<number>;
  private reached: number[] = [];
  private begun = false;

  constructor(private readonly pattern: StepPattern) {
    this.first = new Set(pattern.first);
    this.last = new Set(pattern.last);
  }

  /** Whether a match has ended in this piece. Blanks before the first word are not read. */
  read(piece: string): boolean {
    let matched = false;
    for (const character of piece) {
      if (!this.begun && " \t\r\n".includes(character)) continue;
      this.begun = true;
      matched = this.take(character.codePointAt(0)!) || matched;
    }
    return matched;
  }

  private take(character: number): boolean {
    const { places } = this.pattern;
    const wanted = new Set(this.first);
    for (const at of this.reached) for (const next of places[at]!.next) wanted.add(next);
    this.reached = [...wanted].filter((at) =>
      places[at]!.characters.some(([from, to]) => from <= character && character <= to),
    );
    return this.reached.some((at) => this.last.has(at));
  }
}

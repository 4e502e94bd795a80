/**
 * A search under way, or a long row of them, on one line of the terminal that is rewritten in place.
 *
 * Owns: that line. Writes nothing at all where there is no terminal.
 * Must not know: how a search works; answers.
 */
import { createLogUpdate } from "log-update";

import type { Progress } from "../scheduler/solve-options.js";
import { bar, grouped, isTerminal, paperOf, score3, seconds, type Paper } from "./paper.js";

/** What the line shows. */
export interface Moment {
  readonly frame: number;
  readonly label: string;
  readonly elapsedMs: number;
  /** Undefined while no search is under way. */
  readonly search?: {
    readonly round: number;
    readonly live: number;
    readonly finished: number;
    readonly bestScore: number | null;
    readonly tokens: number;
  };
  readonly parts?: Parts;
}

/** Work of many like parts. */
export interface Parts {
  readonly done: number;
  readonly total: number;
  /** Null while unknown. */
  readonly remainingMs: number | null;
  /** How it goes so far; may be empty. A function is asked each time the line is drawn. */
  readonly note: string | (() => string);
}

const frames = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const redrawMs = 100;
/** A rate over less time than this says nothing. */
const rateFromMs = 250;

export class ProgressView {
  private readonly draw: ReturnType<typeof createLogUpdate> | undefined;
  private readonly paper: Paper;
  private timer: NodeJS.Timeout | undefined;
  private frame = 0;
  private label = "";
  private begun = 0;
  private parts: Parts | undefined;
  private search: { live: number; latest?: Progress; decoded: () => number; decodedBefore: number } | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.paper = paperOf(stream);
    if (isTerminal(stream)) this.draw = createLogUpdate(stream);
  }

  /** Shows the label and a clock until the work is done. */
  async during<T>(label: string, work: () => Promise<T>): Promise<T> {
    if (this.draw === undefined) return work();
    this.label = label;
    this.begun = performance.now();
    this.timer = setInterval(() => this.redraw(), redrawMs);
    try {
      return await work();
    } finally {
      clearInterval(this.timer);
      this.search = undefined;
      this.parts = undefined;
      this.draw.clear();
      this.draw.done();
    }
  }

  /** The same for a search: `n` branches begin, and `decoded` tells the tokens that the generator has decoded ever. */
  duringSearch<T>(label: string, n: number, decoded: () => number, work: () => Promise<T>): Promise<T> {
    this.search = { live: n, decoded, decodedBefore: decoded() };
    return this.during(label, work);
  }

  /** The same for work that tells how many of its parts are done. */
  duringParts<T>(label: string, work: (tell: (parts: Parts) => void) => Promise<T>): Promise<T> {
    return this.during(label, () => work((parts) => (this.parts = parts)));
  }

  /** A round of the search is over. */
  readonly onProgress = (progress: Progress): void => {
    if (this.search !== undefined) this.search.latest = progress;
  };

  private redraw(): void {
    const moment = { frame: this.frame++, label: this.label, elapsedMs: performance.now() - this.begun };
    const { live = 0, latest, decoded = () => 0, decodedBefore = 0 } = this.search ?? {};
    const search = this.search && {
      // Reports are of rounds that are over; shown is the one under way.
      round: (latest?.round ?? 0) + 1,
      live: latest?.live ?? live,
      finished: latest?.finished ?? 0,
      bestScore: latest?.bestScore ?? null,
      tokens: decoded() - decodedBefore,
    };
    const parts = this.parts && { parts: this.parts };
    this.draw?.(progressLine({ ...moment, ...(search && { search }), ...parts }, this.paper));
  }
}

/** Parts that do not fit the width are left out, the last first; a line that wraps cannot be redrawn in place. */
export function progressLine(moment: Moment, { columns, colors }: Paper): string {
  const { frame, label, elapsedMs, search } = moment;
  const parts = [`${frames[frame % frames.length]!} ${label}`];
  if (moment.parts) {
    const { done, total, remainingMs } = moment.parts;
    const note = typeof moment.parts.note === "string" ? moment.parts.note : moment.parts.note();
    parts[0] += ` ${bar(done / total)} ${grouped(done)} of ${grouped(total)}`;
    if (note !== "") parts.push(note);
    if (remainingMs !== null) parts.push(`${seconds(remainingMs)} left`);
  }
  if (search) {
    const { round, live, finished, bestScore, tokens } = search;
    parts.push(`round ${round}`, `${grouped(live)} live`);
    if (finished > 0) parts.push(`${grouped(finished)} done`);
    if (bestScore !== null) parts.push(`best ${score3(bestScore)}`);
    if (elapsedMs >= rateFromMs) parts.push(`${grouped((tokens * 1_000) / elapsedMs)} tokens/s`);
  }
  parts.push(seconds(elapsedMs));
  while (parts.length > 1 && `  ${parts.join(separator)}`.length >= columns) parts.pop();
  const [head = "", ...others] = parts;
  return `  ${colors.cyan(head.slice(0, Math.max(1, columns - 3)))}${others.map((part) => colors.dim(separator) + part).join("")}`;
}

const separator = " · ";

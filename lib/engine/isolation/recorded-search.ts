/**
 * One search in an engine's process, as it is known on this side, together with the search that judges its steps: the two have
 * one account, one ledger and one end, and one cannot go on without the other.
 *
 * Owns: its script: what has been said of it, in order, with what was written in the place of the wish to write; what is still
 * asked stands in it as it was asked. Must not know: other searches, processes.
 */
import { NOBODY, OWN_ACCOUNT, type CommandBuffer, type OpenCommand } from "../codec.js";
import { LedgerOverLives, type SharedBudget } from "./ledgers.js";

export type Line = (to: CommandBuffer) => void;
export type Asked = "open" | "judge" | "extend" | "score" | "pair" | "hidden" | "ledger" | "close";

/** A step of a solution, and those before it. */
export interface Written {
  readonly above: Written | undefined;
  scored: boolean;
}

export interface Request {
  readonly what: Asked;
  /** Of an extend. */
  readonly branch?: number;
  /** Where the branch stood. */
  readonly at?: Written | undefined;
  /** Of the judge's. */
  readonly opening?: Opening;
}

export interface Opening {
  readonly id: number;
  readonly root: number;
  readonly options: OpenCommand;
}

/** Nobody waits for the answer to it. */
const UNASKED = 0;

export class RecordedSearch {
  /** Whether the living process knows it. */
  present = false;
  stopped = false;
  readonly ledger = new LedgerOverLives();
  readonly requests = new Map<number, Request>();
  /** By request, or by a number of no request. */
  readonly script = new Map<number, Line>();
  readonly branches = new Map<number, Written | undefined>();
  private opened = false;
  private judge: Line | undefined;
  private unasked = UNASKED;

  constructor(
    readonly id: number,
    private readonly root: number,
    private readonly account: number,
    private readonly budget: SharedBudget,
    readonly options: OpenCommand,
  ) {
    this.branches.set(root, undefined);
    budget.add(this.ledger);
  }

  /** What a process that does not know the search has to be told. */
  replay(to: CommandBuffer): void {
    if (this.opened) this.open(to, UNASKED);
    this.judge?.(to);
    for (const line of this.script.values()) line(to);
  }

  open(to: CommandBuffer, request: number): void {
    to.open(request, this.id, this.root, this.account, NOBODY, this.optionsNow(), this.ledger.hasBegun);
  }

  /** The search that judges this one. */
  openJudge(to: CommandBuffer, request: number, { id, root, options }: Opening): void {
    to.open(request, id, root, OWN_ACCOUNT, this.id, options, this.ledger.hasBegun);
  }

  wasOpened(): void {
    this.opened = true;
  }

  judgeWasOpened(opening: Opening): void {
    this.judge = (to) => this.openJudge(to, UNASKED, opening);
  }

  add(line: Line): void {
    this.script.set(--this.unasked, line);
  }

  ask(request: number, what: Request, line: Line): void {
    this.requests.set(request, what);
    this.script.set(request, line);
  }

  /** Milliseconds until its deadline; undefined: it has none. */
  get msLeft(): number | undefined {
    const { deadlineMs } = this.options;
    return deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - this.ledger.ageMs);
  }

  private optionsNow(): OpenCommand {
    return { ...this.options, ...this.budget.left(), deadlineMs: this.msLeft };
  }
}

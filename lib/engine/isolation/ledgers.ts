/**
 * What searches have cost over several lives of an engine.
 *
 * Owns: adding ledgers up; what is left of a budget that one or several searches spend.
 * Must not know: commands, processes.
 */
import type { Ledger } from "../addon.js";
import { noCost } from "../no-figures.js";

const peaks: ReadonlySet<string> = new Set<keyof Ledger>(["kvCellsPeak", "verifierKvCellsPeak", "treeTokensPeak"]);

function sum(a: Ledger, b: Ledger): Ledger {
  const keys = Object.keys(noCost) as (keyof Ledger)[];
  const together = (key: keyof Ledger) => (peaks.has(key) ? Math.max(a[key], b[key]) : a[key] + b[key]);
  return Object.fromEntries(keys.map((key) => [key, together(key)])) as unknown as Ledger;
}

/** Of one search. Exact up to the last answer of a process that died. */
export class LedgerOverLives {
  readonly openedAt = performance.now();
  private earlier: Ledger | undefined;
  private now = noCost;

  /** As the living process has it. */
  told(ledger: Ledger): void {
    this.now = ledger;
  }

  died(): void {
    this.earlier = sum(this.earlier ?? noCost, this.now);
    this.now = noCost;
  }

  get ageMs(): number {
    return performance.now() - this.openedAt;
  }

  get total(): Ledger {
    if (this.earlier === undefined) return this.now;
    return { ...sum(this.earlier, this.now), milliseconds: this.ageMs };
  }

  /** Whether a process that died had read a prompt, by whichever model. */
  get hasBegun(): boolean {
    const { promptTokens, verifierPromptTokens } = this.earlier ?? noCost;
    return promptTokens + verifierPromptTokens > 0;
  }
}

/** What one search, or several together, may spend: the budget of the one that was opened first. */
export class SharedBudget {
  private readonly members = new Set<LedgerOverLives>();

  constructor(
    private readonly tokens: number | undefined,
    private readonly flops: number | undefined,
  ) {}

  add(member: LedgerOverLives): void {
    this.members.add(member);
  }

  left(): { tokenBudget: number | undefined; flopsBudget: number | undefined } {
    const spent = (of: (ledger: Ledger) => number) => [...this.members].reduce((all, { total }) => all + of(total), 0);
    const rest = (budget: number | undefined, of: (ledger: Ledger) => number) =>
      budget === undefined ? undefined : Math.max(0, budget - spent(of));
    return {
      tokenBudget: rest(this.tokens, (ledger) => ledger.generatedTokens),
      flopsBudget: rest(this.flops, (ledger) => ledger.flops),
    };
  }
}

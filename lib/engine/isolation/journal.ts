/**
 * What is known on this side of the searches in an engine's process: enough to begin them again in another.
 *
 * Owns: taking notes of commands and answers; which search each is of. What is said to a judge is of the search it judges.
 * Must not know: processes, which of them are alive.
 */
import type { ErrorCode } from "../../errors.js";
import type { NativeCompletion } from "../addon.js";
import { NOBODY, OWN_ACCOUNT, type Command, type Commands, type OpenCommand, type SamplerOptions } from "../codec.js";
import { SharedBudget } from "./ledgers.js";
import { RecordedSearch, type Asked, type Line, type Opening, type Request, type Written } from "./recorded-search.js";

export type Noted =
  | { readonly search: RecordedSearch; readonly request?: number }
  /** As the process would answer. */
  | { readonly search?: undefined; readonly request: number; readonly code: ErrorCode; readonly message: string };

export class Journal implements Commands {
  readonly searches = new Map<number, RecordedSearch>();
  private readonly ofBranch = new Map<number, RecordedSearch>();
  private readonly ofRequest = new Map<number, RecordedSearch>();
  private readonly budgets = new Map<number, { budget: SharedBudget; searches: Set<number> }>();
  private noted: Noted | undefined;

  /** Undefined: it has no effect. */
  note(command: Command): Noted | undefined {
    this.noted = undefined;
    command(this);
    return this.noted;
  }

  /** What the answer is to its caller; undefined: nobody waits for it. */
  answer(completion: NativeCompletion): { search: RecordedSearch; what: Asked; answer: NativeCompletion } | undefined {
    const search = this.ofRequest.get(completion.request);
    const asked = search?.requests.get(completion.request);
    if (search === undefined || asked === undefined) return undefined;
    this.ofRequest.delete(completion.request);
    search.requests.delete(completion.request);
    search.script.delete(completion.request);
    const { ledger, ...answer } = completion;
    if (ledger !== undefined) search.ledger.told(ledger);
    const failed = completion.code !== undefined;
    if (asked.what === "open") {
      if (failed) this.forget(search);
      else search.wasOpened();
    }
    if (asked.opening !== undefined && !failed) search.judgeWasOpened(asked.opening);
    if (asked.what === "extend" && !failed) this.wrote(search, asked, completion);
    if (asked.what === "score" && !failed) scored(asked, completion);
    if (asked.what === "close") this.forget(search);
    const wantsLedger = (asked.what === "ledger" || asked.what === "close") && !failed;
    const steps = completion.steps?.map(({ text, tokens, logProbability }) => ({ text, tokens, logProbability }));
    return {
      search,
      what: asked.what,
      answer: { ...answer, ...(steps && { steps }), ...(wantsLedger && { ledger: search.ledger.total }) },
    };
  }

  /** No search is in a process any more. */
  died(): void {
    for (const search of this.searches.values()) {
      search.present = false;
      search.ledger.died();
    }
  }

  open(request: number, id: number, root: number, account: number, judges: number, options: OpenCommand): void {
    if (judges !== NOBODY) return this.openJudge(request, judges, { id, root, options });
    const search = new RecordedSearch(id, root, account, this.budgetOf(account, id, options), options);
    this.searches.set(id, search);
    this.ofBranch.set(root, search);
    this.ask(search, request, { what: "open" }, (to) => search.open(to, request));
  }

  private openJudge(request: number, judges: number, opening: Opening): void {
    this.ofSearchOr(request, judges, (search) => {
      this.stand(search, opening.root, undefined);
      this.ask(search, request, { what: "judge", opening }, (to) => search.openJudge(to, request, opening));
    });
  }

  fork(parent: number, first: number, count: number): void {
    this.at(parent, (search, written) => {
      for (let id = first; id < first + count; id++) this.stand(search, id, written);
      search.add((to) => to.fork(parent, first, count));
    });
  }

  condition(parent: number, branch: number, texts: readonly string[]): void {
    this.at(parent, (search) => {
      this.stand(search, branch, undefined);
      search.add((to) => to.condition(parent, branch, texts, search.ledger.hasBegun));
    });
  }

  write(branch: number, text: string, last: boolean): void {
    this.at(branch, (search, above) => {
      const written = { above, scored: false };
      this.stand(search, branch, written);
      search.add((to) => to.write(branch, text, last, search.ledger.hasBegun, written.scored));
    });
  }

  extend(request: number, branch: number, steps: number, score: boolean, sampler: SamplerOptions, ahead = 0): void {
    this.ofBranchOr(request, branch, (search, at) =>
      this.ask(search, request, { what: "extend", branch, at }, (to) =>
        to.extend(request, branch, steps, score, sampler, ahead),
      ),
    );
  }

  score(request: number, branch: number): void {
    this.ofBranchOr(request, branch, (search, at) =>
      this.ask(search, request, { what: "score", at }, (to) => to.score(request, branch)),
    );
  }

  pair(request: number, branch: number, positive: string, negative: string): void {
    this.ofBranchOr(request, branch, (search) =>
      this.ask(search, request, { what: "pair" }, (to) => to.pair(request, branch, positive, negative)),
    );
  }

  release(branch: number): void {
    this.at(branch, (search) => {
      this.ofBranch.delete(branch);
      search.branches.delete(branch);
      search.add((to) => to.release(branch));
    });
  }

  hidden(request: number, id: number): void {
    this.ofSearchOr(request, id, (search) =>
      this.ask(search, request, { what: "hidden" }, (to) => to.hidden(request, id)),
    );
  }

  stop(id: number): void {
    const search = this.searches.get(id);
    if (search === undefined) return;
    this.noted = { search };
    search.stopped = true;
    search.add((to) => to.stop(id));
  }

  ledger(request: number, id: number): void {
    this.ofSearchOr(request, id, (search) =>
      this.ask(search, request, { what: "ledger" }, (to) => to.ledger(request, id)),
    );
  }

  close(request: number, id: number): void {
    this.ofSearchOr(request, id, (search) =>
      this.ask(search, request, { what: "close" }, (to) => to.close(request, id)),
    );
  }

  private ask(search: RecordedSearch, request: number, asked: Request, line: Line): void {
    this.noted = { search, request };
    this.ofRequest.set(request, search);
    search.ask(request, asked, line);
  }

  private at(branch: number, act: (search: RecordedSearch, written: Written | undefined) => void): void {
    const search = this.ofBranch.get(branch);
    if (search === undefined) return;
    this.noted = { search };
    act(search, search.branches.get(branch));
  }

  private ofBranchOr(
    request: number,
    branch: number,
    act: (search: RecordedSearch, written: Written | undefined) => void,
  ): void {
    this.at(branch, act);
    this.noted ??= { request, code: "BRANCH_RELEASED", message: "the branch was released" };
  }

  private ofSearchOr(request: number, id: number, act: (search: RecordedSearch) => void): void {
    const search = this.searches.get(id);
    if (search !== undefined) act(search);
    this.noted ??= { request, code: "CANCELLED", message: "the search was closed" };
  }

  private stand(search: RecordedSearch, branch: number, written: Written | undefined): void {
    this.ofBranch.set(branch, search);
    search.branches.set(branch, written);
  }

  private budgetOf(account: number, search: number, { tokenBudget, flopsBudget }: OpenCommand): SharedBudget {
    if (account === OWN_ACCOUNT) return new SharedBudget(tokenBudget, flopsBudget);
    let shared = this.budgets.get(account);
    if (shared === undefined) {
      shared = { budget: new SharedBudget(tokenBudget, flopsBudget), searches: new Set() };
      this.budgets.set(account, shared);
    }
    shared.searches.add(search);
    return shared.budget;
  }

  private forget(search: RecordedSearch): void {
    this.searches.delete(search.id);
    for (const branch of search.branches.keys()) this.ofBranch.delete(branch);
    for (const [account, { searches }] of this.budgets) {
      if (searches.delete(search.id) && searches.size === 0) this.budgets.delete(account);
    }
  }

  private wrote(search: RecordedSearch, { branch, at }: Request, { reason, steps }: NativeCompletion): void {
    const finished = reason === "end";
    if (branch === undefined || (steps.length === 0 && !finished)) return;
    let above = at;
    const written = steps.map(({ text, ids, cut = false, last = false }) => {
      above = { above, scored: false };
      return { text, ids: ids ?? new Int32Array(), cut, last, place: above };
    });
    if (search.branches.has(branch)) search.branches.set(branch, above);
    search.add((to) =>
      to.restore(
        branch,
        finished,
        written.map(({ place, ...step }) => ({ ...step, scored: place.scored })),
      ),
    );
  }
}

function scored({ at }: Request, { scores }: NativeCompletion): void {
  for (let [written, i] = [at, scores.length]; written !== undefined && i-- > 0; written = written.above) {
    if (!Number.isNaN(scores[i])) written.scored = true;
  }
}

/**
 * The handle of models on servers, and trees on them.
 *
 * Owns: opening trees, the budgets that they share, closing.
 * Must not know: questions, strategies, how a server is asked what it serves.
 */
import type { EngineStats, LoadedModels } from "../engine/addon.js";
import type { Prompt } from "../engine/codec.js";
import type { Core } from "../engine/core.js";
import { noStats } from "../engine/no-figures.js";
import { cancelled } from "../engine/tree-branch.js";
import type { Tree, TreeOptions } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import { Account, Bill, type Totals } from "./bill.js";
import type { Completions } from "./completions.js";
import type { Endpoint } from "./endpoint.js";
import { LocalVerifier } from "./local-verifier.js";
import { RemoteTree } from "./remote-tree.js";
import { RemoteVerifier, type PairReading } from "./remote-verifier.js";
import { Work } from "./work.js";

/** An engine of this process, for its verifier. */
export interface VerifierEngine {
  readonly models: LoadedModels;
  readonly fingerprints: { readonly verifier: string | null };
  openTree(options: TreeOptions): Promise<Tree>;
}

interface ServedVerifier {
  readonly model: Completions;
  readonly reading: PairReading;
}

export interface RemoteParts {
  readonly models: LoadedModels;
  readonly generator: Completions;
  readonly verifier: ServedVerifier | VerifierEngine | undefined;
}

interface SharedAccount {
  readonly account: Account;
  trees: number;
}

export class RemoteCore implements Core {
  readonly models: LoadedModels;
  private readonly trees = new Set<RemoteTree>();
  private readonly accounts = new Map<number, SharedAccount>();
  private readonly totals: Totals = { generated: 0, verified: 0 };
  private nextAccount = 1;
  private closing: Promise<void> | undefined;

  constructor(private readonly parts: RemoteParts) {
    this.models = parts.models;
  }

  async openTree(options: TreeOptions, account?: number): Promise<RemoteTree> {
    if (this.closing !== undefined) throw closed();
    if (options.signal?.aborted) throw cancelled();
    if (options.flopsBudget !== undefined) {
      const mend = "give a budget of tokens, generations or milliseconds";
      throw new ThinkTreeError("INVALID_OPTION", `a server's operations cannot be capped from here: ${mend}`);
    }
    const prompt = textOf(options.prompt);
    if (prompt.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the prompt is empty");

    const { generator, models, verifier } = this.parts;
    const { served } = this;
    const beside = verifier && "openTree" in verifier ? await verifier.openTree(besides(options)) : undefined;
    if (this.closing !== undefined) {
      await beside?.close();
      throw closed();
    }
    const work = new Work();
    const sizes = { generator: models.generator.parameters, verifier: models.verifier?.parameters ?? 0 };
    const shared = this.accountOf(account, options.tokenBudget);
    const bill = new Bill(shared.account, sizes, this.totals);
    const judge = beside
      ? new LocalVerifier(beside)
      : served && new RemoteVerifier(served.model, served.reading, textOf(options.verifierPrompt), work, bill);
    const onClose = () => {
      this.trees.delete(tree);
      shared.trees -= 1;
      if (shared.trees === 0 && account !== undefined) this.accounts.delete(account);
    };
    const { positions } = models.generator;
    const tree = new RemoteTree({ options, generator, positions, prompt, judge, beside, work, bill, onClose });
    this.trees.add(tree);
    shared.trees += 1;
    try {
      const use = await work.run((signal) => generator.measure(prompt, signal));
      if (use !== null) bill.generator.prompt = use.tokens;
      if (use !== null && use.tokens >= positions) throw tooLong(use.tokens, positions);
      return tree;
    } catch (error) {
      await tree.close();
      throw error;
    }
  }

  /** Its models', as far as their servers name them. */
  get fingerprints(): { generator: string; verifier: string | null } {
    const of = ({ model }: Completions) => `remote:${model}`;
    const { generator, verifier } = this.parts;
    const own = verifier && "openTree" in verifier ? verifier.fingerprints.verifier : null;
    return { generator: of(generator), verifier: this.served ? of(this.served.model) : own };
  }

  newAccount(): number {
    return this.nextAccount++;
  }

  stats(): EngineStats {
    const { generated, verified } = this.totals;
    return { ...noStats, decodedTokens: generated, verifierTokens: verified, searches: this.trees.size };
  }

  close(): Promise<void> {
    this.closing ??= this.hangUp();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async hangUp(): Promise<void> {
    await Promise.all([...this.trees].map((tree) => tree.end(closed())));
    const { generator } = this.parts;
    const endpoints = new Set<Endpoint>([generator.endpoint, ...(this.served ? [this.served.model.endpoint] : [])]);
    await Promise.all([...endpoints].map((endpoint) => endpoint.close()));
  }

  private get served(): ServedVerifier | undefined {
    const { verifier } = this.parts;
    return verifier && "reading" in verifier ? verifier : undefined;
  }

  private accountOf(id: number | undefined, tokenBudget: number | undefined): SharedAccount {
    const known = id === undefined ? undefined : this.accounts.get(id);
    if (known !== undefined) return known;
    const shared = { account: new Account(tokenBudget), trees: 0 };
    if (id !== undefined) this.accounts.set(id, shared);
    return shared;
  }
}

/** The same search for who only reads it: what it spends is counted elsewhere, and nothing is written there. */
function besides(options: TreeOptions): TreeOptions {
  return { ...options, prompt: options.verifierPrompt, tokenBudget: undefined, deadlineMs: undefined };
}

/** Which some recipes and templates write down, and every tokenizer that has one puts before a text by itself. */
const firstTokens = ["<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<bos>", "<s>"];

/** One text, in which a server recognises special tokens wherever they stand. */
function textOf(prompt: string | Prompt): string {
  const text = [prompt].flat().join("");
  const first = firstTokens.find((token) => text.startsWith(token)) ?? "";
  return text.slice(first.length);
}

function tooLong(tokens: number, positions: number): ThinkTreeError {
  return new ThinkTreeError(
    "CONTEXT_EXCEEDED",
    `the prompt has ${tokens} tokens, the context holds ${positions}: shorten it or serve the model with a longer context`,
  );
}

function closed(): ThinkTreeError {
  return new ThinkTreeError("ENGINE_CLOSED", "the engine was closed");
}

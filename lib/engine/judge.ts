/**
 * Asks a model that writes what it thinks of a solution's steps.
 *
 * Owns: the judge's tree beside a search's, its votes and verdicts; who was asked about already.
 * Must not know: recipes, questions, how the steps came to be.
 *
 * All the votes on one step write from one place. Steps that say the same after the same are judged once:
 *
 *     question ─┬─ step 1, "analyse it: " ─┬─ analysis ─ "verdict: " → Yes | No ─ step 2, "analyse it: " ─┬─ ...
 *               │                          └─ analysis ─ "verdict: " → Yes | No                           └─ ...
 *               └─ step 1, step 2, "analyse them: " ─── ...            (without a conversation)
 */
import { ThinkTreeError } from "../errors.js";
import type { Channel } from "./channel.js";
import type { JudgeRules } from "./judge-rules.js";
import type { Branch } from "./search-tree.js";
import { NativeTree } from "./native-tree.js";
import type { StepJudge, TreeOptions } from "./tree.js";

interface Verdict {
  /** Null: no vote came to a verdict. */
  readonly score: number | null;
  /** Where the conversation goes on; null: nowhere. */
  readonly vote: Vote | null;
}

interface Vote {
  /** Of the positive word. */
  readonly share: number;
  readonly end: Branch;
}

/** A step that is judged, and those after it. */
interface Judged {
  readonly verdict: Promise<Verdict>;
  readonly below: Map<string, Judged>;
}

export class Judge implements StepJudge {
  private readonly begun = new Map<string, Judged>();

  /** Beside a search that is just being opened. @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED */
  static async open(channel: Channel, search: number, options: TreeOptions, rules: JudgeRules): Promise<Judge> {
    const { temperature, topK, topP, tokens, ends, verdict } = rules;
    const tree = await NativeTree.open(
      channel,
      {
        ...{ prompt: options.verifierPrompt, verifierPrompt: "", seed: options.seed, maxLength: tokens },
        ...{ tokenBudget: undefined, deadlineMs: undefined }, // the search's own hold for it
        ...{ steps: { delimiters: [...ends, verdict.trimStart()] }, finalPrefix: "", stop: [] },
        sampler: { temperature, topK, topP, minP: 0 },
      },
      { judges: search },
    );
    return new Judge(tree, rules);
  }

  private constructor(
    private readonly tree: NativeTree,
    private readonly rules: JudgeRules,
  ) {}

  get exhausted(): boolean {
    return this.tree.exhausted;
  }

  async scores(steps: readonly string[]): Promise<(number | null)[]> {
    let { begun } = this;
    let above: Judged | undefined;
    const path = steps.map(tidied);
    const verdicts = path.map((step, i) => {
      above = begun.get(step) ?? this.begin(begun, path.slice(0, i + 1), above);
      begun = above.below;
      return above.verdict;
    });
    return (await Promise.all(verdicts)).map(({ score }) => score);
  }

  private begin(siblings: Map<string, Judged>, steps: readonly string[], above: Judged | undefined): Judged {
    const step = steps.at(-1)!;
    const judged = { verdict: this.ask(steps, above?.verdict), below: new Map<string, Judged>() };
    siblings.set(step, judged);
    judged.verdict.catch(() => siblings.delete(step)); // whoever wants it again asks again
    return judged;
  }

  /** What the model thinks of the last of the steps. */
  private async ask(steps: readonly string[], above: Promise<Verdict> | undefined): Promise<Verdict> {
    const { onward, votes } = this.rules;
    let asked: Branch;
    if (onward === undefined || above === undefined) {
      asked = this.tree.condition(this.tree.root, this.question(steps));
    } else {
      const { vote } = await above;
      if (vote === null) return { score: null, vote: null };
      asked = this.tree.condition(vote.end, this.turn(steps, vote, onward));
    }
    const writers = this.tree.fork(asked, votes);
    this.tree.release([asked]);
    const outcomes = await Promise.allSettled(writers.map((writer) => this.vote(writer)));
    const cast = outcomes
      .map((outcome) => (outcome.status === "fulfilled" ? outcome.value : null))
      .filter((vote) => vote !== null);
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    // The conversation goes on from the first vote, as if it had been the only one.
    const vote = onward === undefined || failure !== undefined ? null : (cast[0] ?? null);
    this.tree.release(cast.filter((one) => one !== vote).map(({ end }) => end));
    if (failure !== undefined) throw failure.reason;
    const sum = cast.reduce((total, { share }) => total + share, 0);
    return { score: cast.length > 0 ? sum / cast.length : null, vote };
  }

  /** Null: the search ended first, or the context has no room left for a verdict. */
  private async vote(writer: Branch): Promise<Vote | null> {
    const { positive, negative } = this.rules;
    let end: Branch | undefined;
    let share: number | null = null;
    try {
      await this.tree.extend([writer]);
      if (writer.finishReason === "budget" || writer.finishReason === "deadline") return null;
      end = this.tree.condition(writer, this.conclusion(writer.text));
      share = await this.tree.pair(end, positive, negative);
      return share === null ? null : { share, end };
    } catch (error) {
      if (ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return null;
      throw error;
    } finally {
      this.tree.release(end === undefined || share !== null ? [writer] : [writer, end]);
    }
  }

  /** Templates and steps in turns, the last template the one that asks. */
  private question(steps: readonly string[]): string[] {
    const texts = [""];
    steps.forEach((step, i) => {
      const { before, after } = this.numbered(i);
      texts.push(texts.pop()! + before, step, after);
    });
    texts.push(texts.pop()! + numbered(this.rules.ask, steps.length));
    return texts;
  }

  private turn(steps: readonly string[], { share }: Vote, onward: string): string[] {
    const { positive, negative, ask } = this.rules;
    const { before, after } = this.numbered(steps.length - 1);
    const said = share >= 0.5 ? positive : negative;
    return [said + onward + before, steps.at(-1)!, after + numbered(ask, steps.length)];
  }

  /** What is around the step with this index. */
  private numbered(index: number) {
    const { before, after } = index === 0 ? this.rules.first : this.rules.next;
    return { before: numbered(before, index + 1), after: numbered(after, index + 1) };
  }

  /** From where the analysis has stopped to the verdict. */
  private conclusion(analysis: string): string {
    const { ends, unfinished, verdict } = this.rules;
    if (analysis.endsWith(verdict.trimStart())) return "";
    // The token that completes an end may have letters beyond it.
    return (ends.some((end) => analysis.includes(end)) ? "" : unfinished) + verdict;
  }
}

function numbered(template: string, number: number): string {
  return template.replaceAll("{i}", String(number));
}

/** Without empty lines before it and blanks after it. */
function tidied(step: string): string {
  return step.replace(/^[\r\n]+/, "").trimEnd();
}

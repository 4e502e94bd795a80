/**
 * Which of two tokens a model would rather write.
 *
 * Owns: the ways to ask a server. Must not know: what the tokens mean.
 */
import { z } from "zod";

import { ThinkTreeError } from "../errors.js";
import { mostLikely, useIn, type Completions, type LikelyTokens, type PromptUse } from "./completions.js";
import { nonsense } from "./failure.js";

export interface PairRead {
  /** The first one's share of both, in [0, 1]. */
  readonly share: number;
  readonly prompt: PromptUse;
}

export class TokenPair {
  private ids: readonly [number, number] | undefined;

  constructor(
    private readonly model: Completions,
    private readonly positive: string,
    private readonly negative: string,
  ) {}

  /** @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED; INVALID_OPTION: they are not what the model would write */
  async read(text: string, signal: AbortSignal): Promise<PairRead> {
    if (this.model.isLlamaCpp) return this.readById(text, signal);
    const likely = await this.model.next(text, signal);
    return { share: shareOf(likely, this.positive, this.negative), prompt: likely.prompt };
  }

  /** llama.cpp's server draws from these two alone, if they are made likely enough, and tells their probabilities then. */
  private async readById(text: string, signal: AbortSignal): Promise<PairRead> {
    const ids = (this.ids ??= await Promise.all([this.idOf(this.positive, signal), this.idOf(this.negative, signal)]));
    const drawing = { temperature: 1, samplers: ["temperature"], logit_bias: ids.map((id) => [id, 100]) };
    const answer = await this.model.once(text, { ...drawing, logprobs: 2, post_sampling_probs: true }, signal);
    const { address } = this.model.endpoint;
    const parsed = drawnSchema.safeParse(answer);
    if (!parsed.success) throw nonsense(address, "answered with no probabilities", parsed.error);
    const drawn = parsed.data.choices[0]?.logprobs.content[0]?.top_probs ?? [];
    const [good, bad] = ids.map((wanted) => drawn.find(({ id }) => id === wanted)?.prob ?? 0);
    return { share: good! / (good! + bad!), prompt: useIn(answer) ?? { tokens: 0, computed: null } };
  }

  /** The same letters as text, or a special token: whichever is one token. */
  private async idOf(word: string, signal: AbortSignal): Promise<number> {
    for (const special of [false, true]) {
      const asked = { content: word, add_special: false, parse_special: special };
      const { tokens } = tokensSchema.parse(await this.model.endpoint.post("/tokenize", asked, signal));
      if (tokens.length === 1) return tokens[0]!;
    }
    throw new ThinkTreeError("INVALID_OPTION", `"${word}" is not a single token of ${this.model.model}`);
  }
}

const tokensSchema = z.object({ tokens: z.array(z.number().int()) });
const drawnSchema = z.object({
  choices: z.array(
    z.object({
      logprobs: z.object({
        content: z.array(z.object({ top_probs: z.array(z.object({ id: z.number().int(), prob: z.number() })) })),
      }),
    }),
  ),
});

/**
 * One that is not among the likeliest is taken for impossible: it is less likely than the last of those. Servers tell a token by
 * its letters, so that "+" and " +" are not told apart: the likelier counts.
 * @throws {ThinkTreeError} INVALID_OPTION: neither is there
 */
function shareOf({ tokens }: LikelyTokens, positive: string, negative: string): number {
  const of = (word: string) =>
    Math.max(-Infinity, ...tokens.filter(({ token }) => token.trim() === word.trim()).map(({ logprob }) => logprob));
  const [good, bad] = [of(positive), of(negative)];
  if (good === -Infinity && bad === -Infinity) {
    const likeliest = tokens.slice(0, 3).map(({ token }) => JSON.stringify(token));
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `neither "${positive}" nor "${negative}" is among the ${mostLikely} likeliest tokens where the verifier is read ` +
        `(${likeliest.join(", ")} are): name the recipe that it was trained by`,
    );
  }
  return 1 / (1 + Math.exp(bad - good));
}

/**
 * What a judge's recipe means to the engine.
 *
 * Owns: cutting a rendered chat where the question, the steps and the analyses stand.
 * Must not know: how a recipe is found, how a judge is asked.
 */
import type { JudgeRules } from "../engine/judge-rules.js";
import { ThinkTreeError } from "../errors.js";
import { frameOf, type CheckedRecipe, type JudgeReading } from "../verifiers/recipe.js";
import type { Turn } from "./chat-template.js";

/** Renders turns by the model's own template; `writesOn`: it ends where the assistant begins to write. */
export type Render = (turns: readonly Turn[], writesOn: boolean) => string;

/**
 * The rules, and what stands before the first step, with the question's place in it.
 * @throws {ThinkTreeError} UNSUPPORTED_MODEL: the model's template leaves a turn out, or changes it with the turns after it
 */
export function judgeOf(
  { chat = [], first, next }: CheckedRecipe,
  { begin, words, after, ...others }: JudgeReading,
  votes: number,
  render: Render,
): { rules: JudgeRules; prompt: string } {
  const around = (template: string) => {
    const { before, after } = frameOf(template)!;
    return { before, after };
  };
  const { prompt, ask, between } = cut(chat, render);
  const [positive, negative] = words;
  return {
    prompt,
    rules: {
      ...others,
      ...{ kind: "judge", first: around(first ?? next), next: around(next), ask: ask + begin },
      ...(between !== undefined && { onward: after + between }),
      ...{ positive, negative, votes },
    },
  };
}

const places = /\{step\}|\{analysis\}/;

function cut(chat: readonly Turn[], render: Render): { prompt: string; ask: string; between?: string } {
  const talks = chat.some(({ content }) => content === "{analysis}");
  // As the template renders what the judge has said, and not as it begins a turn: so each turn is what the next one finds.
  const turns = talks ? [...chat, { role: "assistant", content: "{analysis}" }] : chat;
  const [prompt, ask, between, again, ...rest] = render(turns, !talks).split(places);
  if (prompt === undefined || ask === undefined || prompt.split("{question}").length !== 2) {
    throw unusable("it has no one place for the question or the steps");
  }
  if (!talks && between === undefined) return { prompt, ask };
  if (between === undefined || again !== ask || rest.length !== 1) {
    throw unusable("it shows an earlier turn of a conversation in another way than the last one");
  }
  return { prompt, ask, between };
}

function unusable(why: string): ThinkTreeError {
  return new ThinkTreeError("UNSUPPORTED_MODEL", `the judge's chat template cannot be used: ${why}`);
}

/**
 * What a generator reads when it is asked by its chat template.
 *
 * Owns: where a question, the turns before it and what the asker says as the system go among the recipe's own turns; that
 * none of it is taken for template.
 * Must not know: files, engines.
 */
import { randomUUID } from "node:crypto";

import type { Prompt } from "../engine/codec.js";
import { ThinkTreeError } from "../errors.js";
import { renderChat, type TemplateTokens, type Turn } from "./chat-template.js";
import type { ChatTurn } from "./conversation.js";
import { questionPlace, systemPlace } from "./generator-recipe.js";

/** Plain JSON. */
export interface ChatRecipe {
  readonly template: string;
  readonly tokens: TemplateTokens;
  /** One of them has the place for the question. */
  readonly turns: readonly Turn[];
  readonly system: string;
  readonly thinking?: { readonly begin: string; readonly end: string };
}

/** As `promptOfTurns`. @throws {ThinkTreeError} INVALID_OPTION: the template refuses such turns, or loses the question */
export function askedInTurns(recipe: ChatRecipe, turns: readonly ChatTurn[]): Prompt {
  try {
    return promptOfTurns(recipe, turns);
  } catch (cause) {
    const line = `chat: the generator's template cannot put these turns: ${(cause as Error).message}`;
    throw new ThinkTreeError("INVALID_OPTION", line, { cause });
  }
}

/**
 * The template is rendered with marks in the place of what was said, so that it cannot act on it, nor can what was said
 * pass for template. What the asker says as the system comes after the recipe's own words, which steps and answers may
 * depend on. Thoughts of earlier turns are left out, as such models' templates do.
 * @throws {Error} the template cannot be read, refuses such turns, or has no one place for the question: why
 */
export function promptOfTurns(recipe: ChatRecipe, turns: readonly ChatTurn[]): Prompt {
  const mark = randomUUID();
  const said: string[] = [];
  const marked = (text: string) => `${mark}.${said.push(text.trim()) - 1}.`;

  const told = turns.filter(({ role }) => role === "system").map(({ content }) => marked(content));
  const system = [recipe.system, ...told].filter((text) => text !== "").join("\n\n");
  const dialogue = turns.filter(({ role }) => role !== "system");
  const earlier = dialogue.slice(0, -1).map(({ role, content }) => {
    return { role, content: marked(role === "assistant" ? withoutThoughts(content, recipe) : content) };
  });
  const question = marked(dialogue.at(-1)!.content);

  const all = recipe.turns.flatMap(({ role, content }) => {
    const turn = { role, content: filled(content, { [systemPlace]: system, [questionPlace]: question }).trim() };
    return content.includes(questionPlace) ? [...earlier, turn] : [turn];
  });
  const rendered = rendering(
    all.filter(({ content }) => content !== ""),
    recipe,
  );
  if (rendered.split(question).length !== 2) throw new Error("it has no one place for the question");
  return rendered.split(new RegExp(`${mark}\\.(\\d+)\\.`)).map((part, i) => (i % 2 === 0 ? part : said[Number(part)]!));
}

function filled(content: string, places: Readonly<Record<string, string>>): string {
  return Object.entries(places).reduce((text, [place, words]) => text.replaceAll(place, () => words), content);
}

function withoutThoughts(text: string, { thinking }: ChatRecipe): string {
  const end = thinking === undefined ? -1 : text.lastIndexOf(thinking.end);
  return end < 0 ? text : text.slice(end + thinking!.end.length);
}

/** Templates without a place for a system turn refuse it or leave it out: its words then come before the first other. */
function rendering(turns: readonly Turn[], { template, tokens, thinking }: ChatRecipe): string {
  const render = (some: readonly Turn[]) =>
    renderChat(template, some, tokens, { writesOn: true, thinks: thinking !== undefined });
  const [first, second, ...others] = turns;
  if (first?.role !== "system" || second === undefined) return render(turns);
  try {
    const rendered = render(turns);
    if (rendered.includes(first.content)) return rendered;
  } catch {
    // It is tried without; what is wrong besides will be told then.
  }
  return render([{ role: second.role, content: `${first.content}\n\n${second.content}` }, ...others]);
}

/**
 * What is asked: a question, or a chat that ends with one.
 *
 * Owns: which chats can be asked; a chat as one text.
 * Must not know: models, templates.
 */
import { z } from "zod";

import { parseNamed, ThinkTreeError } from "../errors.js";

export interface ChatTurn {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Turns: the last is the user's, and is what is searched for an answer to. System turns tell the generator how. */
export type Question = string | readonly ChatTurn[];

const schema = z
  .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
  .refine((turns) => turns.at(-1)?.role === "user", "the last turn must be the user's: it is the question");

/** @throws {ThinkTreeError} EMPTY_PROMPT, INVALID_OPTION */
export function turnsOf(question: Question): readonly ChatTurn[] {
  const turns: readonly ChatTurn[] =
    typeof question === "string" ? [{ role: "user", content: question }] : parseNamed(schema, question, "chat");
  if (turns.at(-1)!.content.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the question is empty");
  return turns.filter(({ content }) => content.trim() !== "");
}

const speakers = { user: "User: ", assistant: "Assistant: ", system: "" } as const;

/** The question alone, if nothing is before it. */
export function asText(turns: readonly ChatTurn[]): string {
  const told = turns.filter(({ role }) => role === "system");
  const said = turns.filter(({ role }) => role !== "system");
  const lines = [...told, ...said].map(
    ({ role, content }) => speakers[said.length > 1 ? role : "system"] + content.trim(),
  );
  return lines.join("\n\n");
}

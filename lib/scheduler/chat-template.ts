/**
 * A model's own chat template: what turns of a chat become, as text.
 *
 * Owns: rendering, and finding what was filled in again.
 * Must not know: models, recipes.
 */
import { Template } from "@huggingface/jinja";

import { ThinkTreeError } from "../errors.js";

export interface Turn {
  readonly role: string;
  readonly content: string;
}

/** The texts of the tokens that a template may name. */
export interface TemplateTokens {
  readonly bos: string;
  readonly eos: string;
}

/** @throws {ThinkTreeError} UNSUPPORTED_MODEL: the template cannot be read, or refuses such turns */
export function renderChat(
  template: string,
  turns: readonly Turn[],
  tokens: TemplateTokens,
  writesOn: boolean,
): string {
  try {
    return new Template(template).render({
      messages: turns,
      add_generation_prompt: writesOn,
      bos_token: tokens.bos,
      eos_token: tokens.eos,
    });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ThinkTreeError("UNSUPPORTED_MODEL", `the model's chat template cannot be used: ${why}`, { cause });
  }
}

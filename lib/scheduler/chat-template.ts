/**
 * A model's own chat template: what turns of a chat become, as text.
 *
 * Owns: rendering. Must not know: models, recipes.
 */
import { Template } from "@huggingface/jinja";

export interface Turn {
  readonly role: string;
  readonly content: string;
}

/** The texts of the tokens that a template may name. */
export interface TemplateTokens {
  readonly bos: string;
  readonly eos: string;
}

interface Rendering {
  /** It ends where the assistant's turn begins. */
  readonly writesOn: boolean;
  /** Whether the assistant is to think first, where the template leaves the choice. Default false. */
  readonly thinks?: boolean;
}

export function tokensOf(metadata: ReadonlyMap<string, string>): TemplateTokens {
  const text = (name: string) => metadata.get(`tokenizer.ggml.${name}_token_id`) ?? "";
  return { bos: text("bos"), eos: text("eos") };
}

/** @throws {Error} the template cannot be read, or refuses such turns: why */
export function renderChat(
  template: string,
  turns: readonly Turn[],
  tokens: TemplateTokens,
  { writesOn, thinks = false }: Rendering,
): string {
  return new Template(template).render({
    messages: turns,
    add_generation_prompt: writesOn,
    bos_token: tokens.bos,
    eos_token: tokens.eos,
    enable_thinking: thinks, // the two names that templates have for it
    thinking: thinks,
  });
}

/**
 * What a server tells of the model that it serves.
 *
 * Owns: OpenAI's list of models and what vLLM, SGLang and llama.cpp's server add to it; llama.cpp's /props.
 * Must not know: recipes, searches.
 */
import { z } from "zod";

import { parseNamed, ThinkTreeError } from "../errors.js";
import type { Endpoint } from "./endpoint.js";

export interface ServedModel {
  readonly name: string;
  /** Tokens that one text may have; null: it does not say. */
  readonly positions: number | null;
  /** 0: it does not say. */
  readonly parameters: number;
  readonly chatTemplate: string | null;
  /** The end token's text. */
  readonly eos: string;
  readonly isLlamaCpp: boolean;
  /** Requests that llama.cpp's server works at, at once; others wait there. Null: another server. */
  readonly slots: number | null;
}

const count = z.number().int().positive();
const listSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      max_model_len: count.nullish(),
      meta: z.object({ n_params: count.optional() }).nullish(),
    }),
  ),
});
const propsSchema = z.object({
  chat_template: z.string().optional(),
  eos_token: z.string().optional(),
  total_slots: count,
  default_generation_settings: z.object({ n_ctx: count.optional() }).optional(),
});

/**
 * `name`: default, the only one that is served.
 * @throws {ThinkTreeError} REMOTE_FAILED; INVALID_OPTION: there are several, or none of that name
 */
export async function servedModel(
  endpoint: Endpoint,
  name: string | undefined,
  signal: AbortSignal,
): Promise<ServedModel> {
  const [list, props] = await Promise.all([endpoint.get("/v1/models", signal), endpoint.get("/props", signal)]);
  const { data } = parseNamed(listSchema, list ?? { data: [] }, `${endpoint.address}/v1/models`);
  const told = propsSchema.safeParse(props); // llama.cpp's server alone has them
  const { chat_template: template, eos_token: eos = "", default_generation_settings: settings } = told.data ?? {};
  const model =
    data.length === 1 && (name === undefined || told.success) ? data[0] : data.find(({ id }) => id === name);
  if (model === undefined && (name === undefined || data.length > 0)) {
    const names = data.map(({ id }) => id).join(", ") || "tells none";
    const line = name === undefined ? "name one" : `${name} is not served`;
    throw new ThinkTreeError("INVALID_OPTION", `model: ${line}: ${endpoint.address} serves ${names}`);
  }
  return {
    name: name ?? model!.id,
    positions: settings?.n_ctx ?? model?.max_model_len ?? null,
    parameters: model?.meta?.n_params ?? 0,
    chatTemplate: template ?? null,
    eos,
    isLlamaCpp: told.success,
    slots: told.data?.total_slots ?? null,
  };
}

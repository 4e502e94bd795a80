/**
 * OpenAI's own description of its API, to hold responses to.
 *
 * Owns: finding it, naming schemas in it. Tests skip where it is not.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { Ajv2020 } from "ajv/dist/2020.js";

const file = fileURLToPath(new URL("../../../shared/data/openai/openapi.json.gz", import.meta.url));
export const hasOpenaiSchema = existsSync(file);

let ajv: Ajv2020 | undefined;

function loaded(): Ajv2020 {
  if (ajv !== undefined) return ajv;
  ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const description = JSON.parse(gunzipSync(readFileSync(file)).toString(), withNull) as object;
  void ajv.addSchema(description, "openai");
  return ajv;
}

/** It says `nullable`, as OpenAPI 3.0 did, though it is one of 3.1, which has JSON Schema's own words for it. */
function withNull(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("nullable" in value)) return value;
  const { nullable, ...schema } = value;
  return nullable === true ? { anyOf: [schema, { type: "null" }] } : schema;
}

/** What is wrong with it; empty: nothing, or there is no description to hold it to. */
export function openaiFaults(name: string, value: unknown): string[] {
  if (!hasOpenaiSchema) return [];
  const validate = loaded().getSchema(`openai#/components/schemas/${name}`);
  if (validate === undefined) throw new Error(`OpenAI has no schema ${name}`);
  void validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

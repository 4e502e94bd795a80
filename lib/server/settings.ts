/**
 * What an operator sets.
 *
 * Owns: names, ranges and defaults of the server's settings.
 * Must not know: what becomes of them.
 */
import { z } from "zod";

import { parseNamed } from "../errors.js";

const count = z.number().int().positive();
const milliseconds = z
  .number()
  .positive()
  .max(2 ** 31 - 1); // a timer's longest

const schema = z
  .strictObject({
    /** Clients must send one of them; none: anybody may ask. Each of 16 characters or more. */
    apiKeys: z.array(z.string().regex(/^\S{16,}$/, "16 characters or more, and no blanks")).default([]),
    /** Web pages that may ask; "*": all. Default: none. */
    corsOrigins: z.array(z.string().min(1)).default([]),
    /** Only names of this machine are answered to. Default false. */
    localNamesOnly: z.boolean().default(false),
    /** Of one request: generations. Default 64. */
    branches: count.max(65_536).default(64),
    /** Of one request: generated tokens. Default: as its branches can write. */
    tokens: count.optional(),
    /** Of one request: milliseconds of search. Default 2 minutes. */
    milliseconds: milliseconds.default(120_000),
    /** Of all searches under way: how many, their generations, the tokens that they may yet generate. */
    searches: count.default(64),
    totalBranches: count.default(1_024),
    totalTokens: count.optional(),
    /** Searches that wait, and how long one does. */
    queue: z.number().int().nonnegative().default(256),
    queueMs: milliseconds.default(30_000),
    bodyBytes: count.default(1 << 20),
    headerBytes: count.default(1 << 14),
    /** That a client may take to send a request, and to take some more of an answer. */
    clientMs: milliseconds.default(30_000),
    /** Between two comments of a stream without news. */
    patienceMs: milliseconds.default(10_000),
    /** That searches have to end when the server does. */
    drainMs: milliseconds.default(30_000),
    /** Questions and answers in the log. Default false. */
    logPrompts: z.boolean().default(false),
  })
  .refine(({ branches, totalBranches }) => branches <= totalBranches, {
    path: ["totalBranches"],
    message: "it must be at least what one request may have (branches)",
  })
  .refine(({ tokens, totalTokens }) => totalTokens === undefined || (tokens ?? Infinity) <= totalTokens, {
    path: ["totalTokens"],
    message: "one request may have more: set tokens to no more than it",
  });

export type ServerOptions = z.input<typeof schema>;
export type ServerSettings = z.output<typeof schema>;

/** @throws {ThinkTreeError} INVALID_OPTION */
export function settingsOf(options: ServerOptions): ServerSettings {
  return parseNamed(schema, options, "server");
}

/**
 * One record of a data set, read by the layout that its fields are of.
 *
 * Owns: choosing among layouts, the words for what is wrong with a record and where it stands.
 * Must not know: any one layout, files.
 */
import { createHash } from "node:crypto";

import { z } from "zod";

import { ThinkTreeError } from "../../errors.js";
import type { Row } from "./rows.js";

export type Fields = Readonly<Record<string, unknown>>;

/** One published way to write a T down. */
export interface Layout<T> {
  /** Whether the record has the fields by which this layout is told from those after it. */
  readonly fits: (fields: Fields) => boolean;
  /** Undefined: the record is whole, but holds no T. @throws {Mistake | z.ZodError} something is wrong with it */
  readonly read: (fields: Fields) => T | undefined;
}

/** What is wrong with a record, in words that follow "it is not a question:". */
export class Mistake extends Error {}

/** A text that says something. */
export const text = z.string().trim().min(1);

export const identity = z.union([text, z.number()]).optional();

export const has =
  (...names: readonly string[]) =>
  (fields: Fields) =>
    names.every((name) => fields[name] !== undefined);

/**
 * By the first layout that fits.
 * @param kind what a T is called: "a question"
 * @param expected the layouts, in words
 * @throws {ThinkTreeError} INVALID_OPTION: names the place, and the field that is wrong
 */
export function readRecord<T>({ value, place }: Row, layouts: readonly Layout<T>[], kind: string, expected: string) {
  const refuse = (why: string) =>
    new ThinkTreeError("INVALID_OPTION", `${place} is not ${kind}: ${why}; expected ${expected}`);
  const { data: fields } = z.record(z.string(), z.unknown()).safeParse(value);
  if (fields === undefined) throw refuse("it is no object");
  const layout = layouts.find(({ fits }) => fits(fields));
  if (layout === undefined) throw refuse(`it has only ${Object.keys(fields).slice(0, 12).join(", ") || "nothing"}`);
  try {
    return layout.read(fields);
  } catch (error) {
    if (error instanceof Mistake) throw refuse(error.message);
    if (!(error instanceof z.ZodError)) throw error;
    throw refuse(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  }
}

/** For what has no name of its own. */
export function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

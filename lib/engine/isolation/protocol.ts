/**
 * What an engine's process and its parent say to each other.
 *
 * Owns: the messages; each is one that structured clone can copy.
 * Must not know: how they travel.
 */
import type { ErrorCode } from "../../errors.js";
import type { EngineStats, NativeEvent } from "../addon.js";

/** Of the addon's functions, those that read a model's file, and their arguments. */
export type FileCall =
  readonly ["inspect", path: string, cells: number, branches: number] | readonly ["metadata", path: string];

export type ToChild =
  /** The first, and once. `beatMs`: how often it is to show a sign of life. */
  | { readonly kind: "load"; readonly options: object; readonly beatMs: number }
  | { readonly kind: "submit"; readonly numbers: Float64Array; readonly strings: readonly string[] }
  /** Asks for a beat. */
  | { readonly kind: "beat" }
  /** Instead of an engine. */
  | { readonly kind: "call"; readonly call: FileCall };

export type FromChild =
  | { readonly kind: "event"; readonly event: NativeEvent; readonly stats: EngineStats }
  | { readonly kind: "beat"; readonly stats: EngineStats }
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

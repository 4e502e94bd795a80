/**
 * How an earlier attempt is put before the model that is to write another.
 *
 * Owns: the words between attempts, and how many attempts are in view.
 * Must not know: which attempts, nor why.
 */

/** What a model was trained to see, or is prompted with, when it revises. */
export interface Revision {
  /** Stands after each earlier attempt, on a line of its own. */
  readonly separator: string;
  /** Earlier attempts in view, the latest ones: 1 to 65,536. */
  readonly maxAttempts: number;
}

/** For models that were not trained to revise: plain words. The window is that of Snell et al. 2024, sec. 6. */
export const usualRevision: Revision = {
  separator: "\nLet me check this solution and write a corrected one.\n",
  maxAttempts: 4,
};

/** What comes between an attempt and the next one. A solution that ended without a newline gets one. */
export function afterAttempt(text: string, { separator }: Revision): string {
  return text.endsWith("\n") ? separator : `\n${separator}`;
}

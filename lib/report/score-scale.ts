/**
 * Scores as colours.
 *
 * Owns: the scale's colours, on white and on black, and which of them a score gets.
 * Must not know: what is scored. The browser reads it too: nothing of Node here.
 */

export const scoreColors = {
  light: "#b04a00 #d97a20 #e9a95c #a3a7ad #74aedb #2f7fc0 #084a91".split(" "),
  dark: "#ff8a3d #e69650 #c99d72 #8d9299 #79a8d0 #5fb0f2 #9fd4ff".split(" "),
};

/** How many colours the scale has. */
export const scoreLevels = scoreColors.light.length;

/** 0 for a score of 0, `scoreLevels - 1` for a score of 1. */
export function scoreLevel(score: number): number {
  return Math.min(scoreLevels - 1, Math.max(0, Math.floor(score * scoreLevels)));
}

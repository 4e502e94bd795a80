/**
 * Answers that no grader should stumble over, made by chance.
 *
 * Owns: how they are made: the same seed makes the same. Must not know: graders.
 */
import { seededRandom } from "#lib/evaluation/statistics.js";

const references = [
  ...["42", "-\\frac{3}{8}", "10{,}080", "\\$32,\\!348", "2\\frac34", "90^\\circ", "28\\%", "204_5", "\\text{Evelyn}"],
  ...["(3,\\frac{\\pi}{2})", "x\\in[-2,7]", "(0,9)\\cup(9,36)", "-2,1", "\\{1\\pm\\sqrt5,-2\\}", "y=2x+3", "6+9i"],
  ...[
    "\\begin{pmatrix} -1/3 \\\\ 2/3 \\end{pmatrix}",
    "\\sec^2 y",
    "x^8+x^7+x+1",
    "864 \\mbox{ inches}^2",
    "\\sqrt[3]{x}",
  ],
];
const pieces = [
  ..."0123456789xyzeiABC+-*/^_=<>()[]{}|!,.;:&%$\\'\" \n\t°√π×±∞²😀\u0000",
  ...["\\frac", "\\dfrac", "\\sqrt", "\\text{", "\\mbox{", "\\boxed{", "\\left(", "\\right)", "\\pm", "\\cup", "\\in"],
  ...["\\begin{pmatrix}", "\\end{pmatrix}", "\\binom", "\\overline{", "\\infty", "\\circ", "\\sin", "\\log_", "\\\\"],
  ...[" and ", " or ", "million", "inches", "percent", "^{9^{9^9}}", "!!!", "999999999", "1,000", "\\pi", "\\le", "}{"],
];
/** Other words for the same. */
const rewordings: readonly ((text: string) => string)[] = [
  (text) => `$${text}$`,
  (text) => ` ${text}. `,
  (text) => text.replace("\\frac{", "\\dfrac{"),
  (text) => text.replaceAll(",", ", "),
  (text) => `\\boxed{${text}}`,
];

/** Pairs of an answer and a reference. Answers are pieces at random, references changed at random, or reworded. */
export function fuzzedPairs(count: number, seed: number): [string, string][] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const babble = (length: number) => Array.from({ length }, () => one(pieces)).join("");
  const changed = (text: string) => {
    const at = below(text.length + 1);
    return text.slice(0, at) + babble(below(3)) + text.slice(at + below(3));
  };
  return Array.from({ length: count }, () => {
    const reference = one(references);
    const kind = random();
    if (kind < 0.2) return [one(rewordings)(reference), reference];
    if (kind < 0.6) return [changed(changed(reference)), reference];
    if (kind < 0.9) return [babble(1 + below(40)), reference];
    if (kind < 0.95) return [one(pieces).repeat(1 + below(1_000)), reference];
    return [babble(1 + below(500)), babble(1 + below(500))];
  });
}

/**
 * --grader: how answers are graded.
 *
 * Owns: the names, what they mean, their help.
 * Must not know: the commands that have it.
 */
import { InvalidArgumentError, type Command } from "commander";

import { ThinkTreeError } from "../errors.js";
import type { Question } from "../evaluation/questions.js";
import { codeLanguages, codeTests } from "../grading/code-tests.js";
import type { Grader } from "../grading/grader.js";
import { mathGrader } from "../grading/math-grader.js";
import { exactText, multipleChoice, numeric } from "../grading/plain-graders.js";

export interface GraderFlags {
  /** Left out: as the data set says. */
  readonly grader?: () => Grader;
}

const graders: Readonly<Record<string, () => Grader>> = {
  math: () => mathGrader(),
  prm800k: () => mathGrader({ mode: "prm800k" }),
  choice: multipleChoice,
  text: exactText,
  ...Object.fromEntries(codeLanguages.map((language) => [language, () => codeTests({ language })])),
};

export const gradersHelp = `
Graders:
  math           the same meaning: 1/2 = 0.5, lists in any order
  prm800k        by the rules of PRM800K and the paper; fractions reduced
  numeric:SHARE  a number that is off by at most this share, such as 0.01
  choice         the letter of a choice
  text           the same text
  python         the program's tests pass, in a process of its own: not a jail,
  javascript     see docs/grading.md before you run programs of models`;

export function addGraderFlag(command: Command): Command {
  return command.option(
    "--grader <name>",
    "how answers are graded, see below (default: as the data set wants, math)",
    graderNamed,
  );
}

/** @throws {ThinkTreeError} INVALID_OPTION: the questions do not say how they are graded, and nobody else does. */
export function graderOf({ grader }: GraderFlags, questions: readonly Pick<Question, "id" | "grader">[]): Grader {
  if (grader !== undefined) return grader();
  const untold = questions.find(({ grader }) => grader === undefined);
  if (untold === undefined) return mathGrader();
  const languages = codeLanguages.map((language) => `--grader ${language}`).join(" or ");
  throw new ThinkTreeError("INVALID_OPTION", `question ${untold.id} has tests of a program: say ${languages}`);
}

function graderNamed(text: string): () => Grader {
  const [, share] = /^numeric:(.+)$/.exec(text) ?? [];
  const tolerance = Number(share);
  if (share !== undefined && tolerance >= 0 && tolerance < Infinity) return () => numeric({ tolerance });
  const make = graders[text];
  if (make === undefined)
    throw new InvalidArgumentError(`Use numeric:SHARE or one of ${Object.keys(graders).join(", ")}.`);
  return make;
}

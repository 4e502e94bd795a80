/**
 * What is kept of one answered question.
 *
 * Owns: the record's shape; grading an answer and, where solutions were sampled independently, each of them.
 * Must not know: journals, how many questions there are.
 */
import type { Ledger } from "../engine/addon.js";
import { noCost } from "../engine/no-figures.js";
import type { Grader } from "../grading/grader.js";
import type { Answer } from "../scheduler/solve-options.js";
import { choices, type Choice, type Sample } from "./estimators.js";
import type { BareQuestion } from "./questions.js";
import { sharingOf, type Sharing } from "./sharing.js";
import { seededRandom, shuffle } from "./statistics.js";

export interface QuestionRecord {
  readonly id: string;
  readonly question: string;
  readonly reference: string;
  /** As the data set has them. */
  readonly subject?: string;
  readonly level?: number;
  /** Null if there was none. */
  readonly answer: string | null;
  readonly right: boolean;
  /** Of the chosen solution, in [0, 1]; null without a verifier. */
  readonly score: number | null;
  /** failed: the question does not fit the model's context; it counts as wrong. */
  readonly finishReason: Answer["finishReason"] | "failed";
  readonly decision: Answer["decision"];
  readonly generations: number;
  readonly ledger: Ledger;
  /** Every sample of a strategy that only samples, in random order; null of others. */
  readonly samples: readonly Sample[] | null;
  /** How much of their text they have in common; null of others. */
  readonly sharing: Sharing | null;
}

/** The strategy's way to choose among independent samples; undefined if it does more than that. */
export function choiceOf(strategy: string): Choice | undefined {
  return choices.find((choice) => choice === strategy);
}

export async function recordOf(
  question: BareQuestion,
  found: Answer,
  grader: Pick<Grader, "grade">,
): Promise<QuestionRecord> {
  const { answer, score, finishReason, decision, generations, ledger } = found;
  const sampled = choiceOf(found.strategy.name) !== undefined;
  const [right, of] = await Promise.all([
    grader.grade(answer, question.answer),
    sampled ? sampledOf(found, question.answer, grader) : { samples: null, sharing: null },
  ]);
  return { ...asked(question), answer, right, score, finishReason, decision, generations, ledger, ...of };
}

/** Of a question that could not be put to the model. */
export function failedRecord(question: BareQuestion): QuestionRecord {
  const nothing = {
    answer: null,
    right: false,
    score: null,
    decision: null,
    generations: 0,
    samples: null,
    sharing: null,
  };
  return { ...asked(question), ...nothing, finishReason: "failed", ledger: noCost };
}

/** The samples of a strategy that only samples, in random order. */
export async function sampledOf(
  found: Answer,
  reference: string,
  grader: Pick<Grader, "grade">,
): Promise<{ samples: Sample[]; sharing: Sharing }> {
  const answers = found.candidates.map(({ answer }) => answer);
  const right = await verdictsOn(answers, reference, grader);
  const samples: Sample[] = found.candidates.map(({ answer, score, flags }) => ({
    ...{ answer, score, right: right.get(answer)! },
    ...(flags.length > 0 && { flagged: true }),
  }));
  // Solutions that were cut short are no candidates, but they were drawn and paid for.
  while (samples.length < found.generations) samples.push({ answer: null, score: null, right: false });
  // Candidates come best first; subsets of them must not know that.
  shuffle(samples, seededRandom(found.seed));
  return { samples, sharing: sharingOf(found.candidates, found.generations, found.ledger) };
}

/** Whether each of the answers is right; equal ones are graded once. */
export async function verdictsOn(
  answers: readonly (string | null)[],
  reference: string,
  grader: Pick<Grader, "grade">,
): Promise<ReadonlyMap<string | null, boolean>> {
  const different = [...new Set(answers)];
  const verdicts = await Promise.all(different.map((answer) => grader.grade(answer, reference)));
  return new Map(different.map((answer, i) => [answer, verdicts[i]!]));
}

function asked({ answer: reference, ...question }: BareQuestion) {
  return { ...question, reference };
}

/**
 * `reproduce`: the paper's experiments, figures and findings as one page.
 *
 * Owns: the report's chapters and words. Must not know: terminals, flags.
 */
import { cpus } from "node:os";

import { mean } from "../evaluation/statistics.js";
import type { Report, TreeView } from "./data.js";
import { runExperiments, type ExperimentOptions, type Measured } from "./experiments.js";
import { findingsOf } from "./findings.js";
import { allFigures } from "./reproduction-figures.js";
import { resultsOf } from "./results.js";

export interface ReproduceOptions extends ExperimentOptions {
  /** Shown with every figure: what makes it again. */
  readonly command: string;
  /** Shown at the top. */
  readonly date: string;
  readonly version: string;
}

export async function reproduce(options: ReproduceOptions): Promise<Report> {
  const { scale, seed, command } = options;
  const measured = await runExperiments(options);
  const results = resultsOf(measured, scale.budgets, seed);
  const figures = allFigures(measured, results, command);
  const { questions, parameters } = measured;
  return {
    title: "Scaling test-time compute, on small models",
    summary:
      `Snell et al. 2024, "Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model Parameters", ` +
      `run again on the embedded models: ${questions.length} held-out word problems. Intervals are 95%, by bootstrap over questions.`,
    command,
    facts: factsOf(measured, options),
    findings: findingsOf(measured, results, scale.budgets),
    sections: [
      {
        id: "search",
        title: "Searching under a verifier",
        text: "Section 5 of the paper: best-of-N, beam search and their relatives, with one verifier.",
        figures: figures.search,
        trees: [],
      },
      {
        id: "optimal",
        title: "Compute-optimal search",
        text: "Sections 3 and 5.3: the method chosen by how hard the question is.",
        figures: figures.optimal,
        trees: [],
      },
      {
        id: "sequential",
        title: "Revisions",
        text: `Section 6: chains of attempts by the reviser. The verifier (${parameters.verifier.toLocaleString("en")} parameters) judges each attempt on its own.`,
        figures: figures.revisions,
        trees: [],
      },
      {
        id: "flops",
        title: "Against a larger model",
        text: `Section 7: a model ${(parameters.large / parameters.generator).toFixed(1)} times the size, at equal FLOPs.`,
        figures: figures.flops,
        trees: [],
      },
      {
        id: "trees",
        title: "Two searches, step by step",
        text: "The first question of middling difficulty. Arrow keys and the slider go from round to round.",
        figures: [],
        trees: treesOf(measured, command),
      },
    ],
  };
}

function treesOf({ trees }: Measured, command: string): TreeView[] {
  const [beam, chains] = trees;
  const view = (id: string, title: string, caption: string, { question, recording }: Measured["trees"][number]) => ({
    ...{ id, title, caption: `${caption} Made by: ${command}`, recording },
    ...{ question: question.question, expected: question.answer },
  });
  return [
    view(
      "tree-beam",
      "Beam search, N = 16, M = 4",
      "Every node is a step; colour is the verifier's score of the way to it.",
      beam!,
    ),
    view("tree-revisions", "Revisions, 2 chains of 4", "Every row is an attempt that sees those before it.", chains!),
  ];
}

function factsOf({ questions, parameters, policy, greedy }: Measured, options: ReproduceOptions): Report["facts"] {
  const [cpu] = cpus();
  const pass1 = mean(greedy.small.records.map(({ right }) => Number(right)));
  const count = (n: number) => n.toLocaleString("en");
  return [
    { name: "date", value: options.date },
    { name: "thinktree", value: options.version },
    { name: "machine", value: `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}` },
    {
      name: "questions",
      value: `${questions.length}, of which the generator solves ${(100 * pass1).toFixed(1)}% greedily`,
    },
    { name: "generator", value: `${count(parameters.generator)} parameters, temperature ${policy.temperature}` },
    { name: "verifier", value: `${count(parameters.verifier)} parameters` },
    { name: "larger model", value: `${count(parameters.large)} parameters` },
    {
      name: "policy",
      value: `fitted on ${Number(policy.calibration["questions"] ?? 0)} other questions, difficulty by ${policy.estimate}`,
    },
    { name: "seed", value: String(options.seed) },
  ];
}

"""Measures the models on held-out problems.

This file owns every figure of the model card: pass@1 by fifth of difficulty,
pass@64, greedy accuracy, a verifier's pairwise accuracies within problems, and
what majority voting and weighted best-of-N make of the same samples. Fifths
are of the generator's sampled pass@1. Intervals are 95%, by bootstrap over
problems.
"""
from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Callable, Iterable

import torch

from data import Checker, Problem, Tokenizer, final_answer, normal_form
from model import Model, load
from sample import read_samples, sample_texts
from score import AGGREGATIONS, likelihood_scores, split_lines, tag_scores

Record = tuple[Problem, Counter]
FIFTHS = 5


def pass_at_1(record: Record) -> float:
    problem, samples = record
    return sum(n for t, n in samples.items() if final_answer(t) == problem.answer) / sum(samples.values())


def interval(values: list[float], rng: random.Random) -> str:
    """Mean and 95% bootstrap interval, in percent."""
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(1000))
    return f"{100 * sum(values) / len(values):.1f} [{100 * means[25]:.1f}, {100 * means[974]:.1f}]"


def report(name: str, values: list[float], rng: random.Random) -> None:
    """One row: the five fifths (the records are sorted from easy to hard), then all."""
    n = len(values)
    fifths = [values[i * n // FIFTHS:(i + 1) * n // FIFTHS] for i in range(FIFTHS)]
    print(f"{name:34s} " + " ".join(f"{100 * sum(f) / len(f):5.1f}" for f in fifths) + f" | {interval(values, rng)}", flush=True)


def greedy_accuracy(model: Model, tokenizer: Tokenizer, prompts: list[str], answers: list[int]) -> list[float]:
    right = [0.0] * len(prompts)
    for i, texts in sample_texts(model, tokenizer, prompts, 1, torch.Generator(), temperature=0.0):
        right[i] = float(final_answer(texts[0]) == answers[i])
    return right


# ---------------------------------------------------------------- verifiers

class Scored:
    """One distinct sampled solution with its step scores and the exact check."""

    def __init__(self, problem: Problem, text: str, count: int, checker: Checker) -> None:
        self.text, self.count = text, count
        self.lines = split_lines(text)
        self.answer = final_answer(text)
        self.right = self.answer == problem.answer
        self.valid = checker.valid_lines(self.lines)
        self.scores: list[float] = []


def scored_solutions(records: list[Record], score: Callable) -> list[list[Scored]]:
    """For every problem its complete distinct samples, scored."""
    problems = []
    for problem, samples in records:
        checker = Checker(problem)
        problems.append([Scored(problem, t, n, checker) for t, n in samples.items()
                         if t.endswith("\n") and final_answer(t) is not None])
    flat = [s for solutions in problems for s in solutions]
    inputs = [(problem.prompt, s.lines) for (problem, _), solutions in zip(records, problems) for s in solutions]
    for solution, scores in zip(flat, score(inputs)):
        solution.scores = scores
    return problems


def win_rate(good: Iterable[float], bad: Iterable[float]) -> float | None:
    """Share of (good, bad) pairs in which the good one scores higher; ties count half."""
    bad = list(bad)
    wins = [(g > b) + 0.5 * (g == b) for g in good for b in bad]
    return sum(wins) / len(wins) if wins else None


def mean_of(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{sum(known) / max(1, len(known)):.3f} ({len(known)} problems)"


def sibling_accuracy(solutions: list[Scored]) -> float | None:
    """Valid against invalid next lines after the same valid lines."""
    good: dict[tuple, dict[str, float]] = defaultdict(dict)
    bad: dict[tuple, dict[str, float]] = defaultdict(dict)
    for s in solutions:
        for n in range(min(s.valid + 1, len(s.lines))):
            parent = tuple(normal_form(x) for x in s.lines[:n])
            (good if n < s.valid else bad)[parent][s.lines[n]] = s.scores[n]
    rates = [win_rate(good[p].values(), bad[p].values()) for p in good if p in bad]
    return sum(rates) / len(rates) if rates else None


def prefix_accuracy(solutions: list[Scored], aggregate: Callable) -> float | None:
    """Any valid against any invalid prefix of the same problem, by the aggregated score up to there."""
    good, bad = {}, {}
    for s in solutions:
        for n in range(1, len(s.lines) + 1):
            (good if n <= s.valid else bad)[tuple(s.lines[:n])] = aggregate(s.scores[:n])
    return win_rate(good.values(), bad.values())


def solution_accuracy(solutions: list[Scored], aggregate: Callable, weighted: bool) -> float | None:
    """Right against wrong solutions of the same problem: distinct texts, or every sample."""
    repeat = lambda s: s.count if weighted else 1
    good = [aggregate(s.scores) for s in solutions if s.right for _ in range(repeat(s))]
    bad = [aggregate(s.scores) for s in solutions if not s.right for _ in range(repeat(s))]
    return win_rate(good, bad)


def report_verifier(name: str, problems: list[list[Scored]]) -> None:
    print(f"{name}: step, same valid parent {mean_of(sibling_accuracy(s) for s in problems)}")
    for label, aggregate in AGGREGATIONS.items():
        prefix = mean_of(prefix_accuracy(s, aggregate) for s in problems)
        distinct = mean_of(solution_accuracy(s, aggregate, False) for s in problems)
        weighted = mean_of(solution_accuracy(s, aggregate, True) for s in problems)
        print(f"  {label:8s} step, any prefix {prefix}; solution, distinct {distinct}, by sample {weighted}", flush=True)


def vote(samples: list[Scored], weight: Callable[[Scored], float]) -> int | None:
    totals: Counter = Counter()
    for s in samples:
        totals[s.answer] += weight(s)
    return max(totals, key=totals.get) if totals else None


def selection(problems: list[list[Scored]], records: list[Record], budget: int,
              choose: Callable[[list[Scored]], int | None], rng: random.Random, draws: int = 8) -> list[float]:
    """Accuracy per problem of a choice among `budget` of its samples."""
    out = []
    for solutions, (problem, _) in zip(problems, records):
        pool = [s for s in solutions for _ in range(s.count)]
        picks = [rng.sample(pool, min(budget, len(pool))) for _ in range(draws if budget < len(pool) else 1)]
        out.append(sum(choose(p) == problem.answer for p in picks) / len(picks))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path, help="the generator's samples of held-out problems")
    parser.add_argument("--problems", type=int, default=10**9)
    parser.add_argument("--greedy", type=Path, nargs="*", default=[], help="models to decode greedily")
    parser.add_argument("--likelihood", type=Path, nargs="*", default=[], help="models to read by likelihood")
    parser.add_argument("--prm", type=Path, nargs="*", default=[], help="models to read at tags")
    parser.add_argument("--aggregation", default="last", choices=AGGREGATIONS, help="for the selection table")
    args = parser.parse_args()

    torch.set_num_threads(1)
    rng, tokenizer = random.Random(1), Tokenizer()
    records = [r for r, _ in zip(read_samples(args.samples), range(args.problems))]
    records.sort(key=pass_at_1, reverse=True)
    print(f"{len(records)} problems, {sum(records[0][1].values())} samples each")
    report("sampled pass@1", [pass_at_1(r) for r in records], rng)
    report("pass@all samples", [float(pass_at_1(r) > 0) for r in records], rng)
    for path in args.greedy:
        model = load(path)[0]
        report(f"greedy {path.stem}", greedy_accuracy(model, tokenizer, [p.prompt for p, _ in records],
                                                      [p.answer for p, _ in records]), rng)
    readings = [(p, likelihood_scores) for p in args.likelihood] + [(p, tag_scores) for p in args.prm]
    aggregate = AGGREGATIONS[args.aggregation]
    for path, read in readings:
        model = load(path)[0]
        problems = scored_solutions(records, lambda inputs: read(model, tokenizer, inputs))
        report_verifier(f"{path.stem} ({read.__name__})", problems)
        for budget in (4, 16, 64):
            weight = lambda s: aggregate(s.scores)
            report(f"N={budget} majority", selection(problems, records, budget, lambda p: vote(p, lambda s: 1.0), rng), rng)
            report(f"N={budget} weighted, {path.stem}", selection(problems, records, budget, lambda p: vote(p, weight), rng), rng)
            best = lambda p: max(p, key=weight).answer if p else None
            report(f"N={budget} best, {path.stem}", selection(problems, records, budget, best, rng), rng)


if __name__ == "__main__":
    main()

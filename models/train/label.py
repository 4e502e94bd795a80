"""Monte-Carlo labels of steps: the share of the generator's rollouts from a step that end right.

This file owns which solutions are labelled and how a step's value is
estimated. Samples that already pass through a prefix are rollouts from it;
only what is missing to ROLLOUTS is drawn. Solutions without a final answer
are dropped. A finished solution's last step has value 1 or 0.
"""
from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

import torch

from data import Problem, Tokenizer, final_answer
from model import Model, load
from sample import read_samples, sample_texts
from score import split_lines

ROLLOUTS = 8
TEMPERATURE = 0.8
SOLUTIONS = 4  # labelled per problem
PROBLEMS_AT_ONCE = 100
Prefix = tuple[str, ...]


def choose_solutions(problem: Problem, samples: Counter, rng: random.Random) -> list[list[str]]:
    """Up to SOLUTIONS distinct texts, right and wrong ones in turn, in random order."""
    texts = sorted(t for t in samples if final_answer(t) is not None and t.endswith("\n"))
    rng.shuffle(texts)
    right = [t for t in texts if final_answer(t) == problem.answer]
    wrong = [t for t in texts if final_answer(t) != problem.answer]
    longer, shorter = (right, wrong) if len(right) > len(wrong) else (wrong, right)
    half = min(len(shorter), SOLUTIONS // 2)
    return [split_lines(t) for t in shorter[:half] + longer[:SOLUTIONS - half]]


def free_rollouts(problem: Problem, samples: Counter) -> dict[Prefix, list[int]]:
    """For every prefix of the samples: how many pass through it, and how many of these end right."""
    counts: dict[Prefix, list[int]] = defaultdict(lambda: [0, 0])
    for text, number in samples.items():
        lines = split_lines(text)
        for n in range(1, len(lines)):
            counts[tuple(lines[:n])][0] += number
            counts[tuple(lines[:n])][1] += number * (final_answer(text) == problem.answer)
    return counts


def top_up(model: Model, tokenizer: Tokenizer, needed: list[tuple[Problem, Prefix, list[int]]],
           generator: torch.Generator) -> None:
    """Draws ROLLOUTS from each of these prefixes and adds them to its counts."""
    texts = [problem.prompt + "".join(line + "\n" for line in prefix) for problem, prefix, _ in needed]
    for i, rollouts in sample_texts(model, tokenizer, texts, ROLLOUTS, generator, TEMPERATURE):
        problem, _, count = needed[i]
        count[0] += ROLLOUTS
        count[1] += sum(final_answer(t) == problem.answer for t in rollouts)


def label(model: Model, tokenizer: Tokenizer, chunk: list[tuple[Problem, Counter]], rng: random.Random,
          generator: torch.Generator) -> list[dict]:
    chosen, needed, counts = [], {}, []
    for number, (problem, samples) in enumerate(chunk):
        chosen.append(choose_solutions(problem, samples, rng))
        counts.append(free_rollouts(problem, samples))
        for lines in chosen[-1]:
            for n in range(1, len(lines)):
                prefix = tuple(lines[:n])
                if counts[-1][prefix][0] < ROLLOUTS:
                    needed[number, prefix] = (problem, prefix, counts[-1][prefix])
    top_up(model, tokenizer, list(needed.values()), generator)
    records = []
    for (problem, _), solutions, count in zip(chunk, chosen, counts):
        labelled = []
        for lines in solutions:
            values = [count[tuple(lines[:n])][1] / count[tuple(lines[:n])][0] for n in range(1, len(lines))]
            values.append(float(final_answer(lines[-1]) == problem.answer))
            labelled.append({"lines": lines, "values": values})
        records.append({"problem": asdict(problem), "solutions": labelled})
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator", type=Path)
    parser.add_argument("samples", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--problems", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model, tokenizer = load(args.generator)[0], Tokenizer()
    rng, generator = random.Random(args.seed), torch.Generator().manual_seed(args.seed)
    pool = [x for x, _ in zip(read_samples(args.samples), range(args.problems))]
    with args.out.open("w") as file:
        for i in range(0, len(pool), PROBLEMS_AT_ONCE):
            for record in label(model, tokenizer, pool[i:i + PROBLEMS_AT_ONCE], rng, generator):
                file.write(json.dumps(record) + "\n")
            file.flush()
            print(f"{min(i + PROBLEMS_AT_ONCE, len(pool))} problems labelled", flush=True)


if __name__ == "__main__":
    main()

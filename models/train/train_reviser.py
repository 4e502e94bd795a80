"""Trains the reviser: it reads earlier attempts and writes a corrected solution.

This file owns the revision examples. The prompt is the question, then up to
four wrong attempts, each followed by the separator; the target is a right
solution. The last wrong attempt is the one with the smallest edit distance to
the target, the others are random (Snell et al. 2024). Ordinary examples are
mixed in. Training stops at the best accuracy on problems of the dev split.
"""
from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path

import torch

from data import RETRY, Problem, Tokenizer, draw_solution, final_answer
from evaluate import greedy_accuracy
from model import load, save
from model import Muon
from sample import read_samples
from train import IGNORE, Example, batches, drill_example, next_token_loss, pad, schedule, shifted, solution_example

MAX_ATTEMPTS = 4
BASE_SHARE = 0.3  # ordinary problems and drills among the examples


def edit_distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def wrong_attempts(problem: Problem, samples: Counter) -> list[str]:
    return [t for t in samples if t.endswith("\n") and final_answer(t) not in (None, problem.answer)]


def choose_attempts(wrong: list[str], target: str, rng: random.Random) -> list[str]:
    """0 to 4 wrong attempts in random order, the one closest to the target last."""
    count = min(len(wrong), rng.randint(0, MAX_ATTEMPTS))
    if count == 0:
        return []
    closest = min(wrong, key=lambda t: edit_distance(t, target))
    others = [t for t in wrong if t != closest]
    return rng.sample(others, count - 1) + [closest]


def revision_prompt(problem: Problem, attempts: list[str]) -> str:
    return problem.prompt + "".join(t + RETRY for t in attempts)


def revision_example(problem: Problem, wrong: list[str], rng: random.Random, tokenizer: Tokenizer) -> Example:
    target = "".join(line + "\n" for line in draw_solution(problem, rng))
    prompt = revision_prompt(problem, choose_attempts(wrong, target, rng))
    return shifted(tokenizer.encode(prompt), tokenizer.encode(target) + [tokenizer.end])


def dev_sets(path: Path, rng: random.Random, size: int) -> dict[str, tuple[list[str], list[int]]]:
    """Prompts and answers of dev problems with no, one and four wrong attempts in context."""
    pool = [(p, wrong_attempts(p, s)) for p, s in read_samples(path)]
    pool = [(p, w) for p, w in pool if len(w) >= MAX_ATTEMPTS][:size]
    answers = [p.answer for p, _ in pool]
    return {f"{n} wrong attempts": ([revision_prompt(p, rng.sample(w, n)) for p, w in pool], answers)
            for n in (0, 1, MAX_ATTEMPTS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", type=Path, help="the generator")
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="the generator's samples of train problems")
    parser.add_argument("--dev", type=Path, required=True, help="the generator's samples of dev problems")
    parser.add_argument("--dev-size", type=int, default=200)
    parser.add_argument("--tokens", type=float, default=6e6)
    parser.add_argument("--lr", type=float, default=0.012)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=9)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer, rng = Tokenizer(), random.Random(args.seed)
    model = load(args.start)[0].train()
    pool = [(p, w) for path in args.samples for p, s in read_samples(path) if (w := wrong_attempts(p, s))]
    dev = dev_sets(args.dev, rng, args.dev_size)
    print(f"{len(pool)} problems with a wrong attempt", flush=True)

    def make() -> Example:
        kind = rng.random()
        if kind < BASE_SHARE:
            return drill_example(rng, tokenizer) if kind < BASE_SHARE / 2 else solution_example(rng, tokenizer, tags=False)
        return revision_example(*rng.choice(pool), rng, tokenizer)

    optimiser = Muon(list(model.named_parameters()), args.lr, args.adam_lr)
    seen = step = 0
    best, average, began = -1.0, 0.0, time.process_time()
    for group in batches(make, 4096, rng):
        width = max(len(e[0]) for e in group)
        loss = next_token_loss(model, pad([e[0] for e in group], width, 0, torch.long),
                               pad([e[1] for e in group], width, IGNORE, torch.long))
        loss.backward()
        optimiser.step(schedule(seen / args.tokens, step, flat=0.3))
        step, seen = step + 1, seen + width * len(group)
        average = loss.item() if step == 1 else 0.98 * average + 0.02 * loss.item()
        ended = seen >= args.tokens
        if ended or step % 150 == 0:
            accuracy = {n: sum(right) / len(right) for n, d in dev.items() for right in [greedy_accuracy(model, tokenizer, *d)]}
            print(f"{step} loss {average:.4f} tokens {seen / 1e6:.2f}M dev {json.dumps(accuracy)}", flush=True)
            if sum(accuracy.values()) > best:
                best = sum(accuracy.values())
                save(model, args.out, {"tokens": seen, "steps": step, "dev": accuracy, "problems": len(pool),
                                       "parameters": model.parameter_count, "train_flops": 6 * model.parameter_count * seen,
                                       "cpu_minutes": (time.process_time() - began) / 60})
        if ended:
            break


if __name__ == "__main__":
    main()

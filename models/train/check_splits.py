"""Checks that nothing a model was trained on is held out.

This file owns only that check. Splits are a hash of a problem's kinds and
numbers, so they are disjoint by construction; here held-out question texts and
skeletons are compared with those of many fresh training draws.
"""
from __future__ import annotations

import argparse
import random
from pathlib import Path

from data import draw, split_of
from sample import read_samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heldout", type=Path, help="samples of the held-out problems")
    parser.add_argument("trained", type=Path, nargs="*", help="samples that models were trained on")
    parser.add_argument("--draws", type=int, default=200_000)
    args = parser.parse_args()

    held = [problem for problem, _ in read_samples(args.heldout)]
    assert all(split_of(p) == "heldout" for p in held)
    texts, skeletons = {p.question for p in held}, {p.skeleton for p in held}
    rng = random.Random(99)
    compared = 0
    for problem in (draw(rng) for _ in range(args.draws)):
        assert problem.question not in texts and problem.skeleton not in skeletons
        compared += 1
    for path in args.trained:
        for problem, _ in read_samples(path):
            assert problem.question not in texts and problem.skeleton not in skeletons
            compared += 1
    print(f"{len(texts)} held-out questions, {len(skeletons)} skeletons: none among {compared} training problems")


if __name__ == "__main__":
    main()

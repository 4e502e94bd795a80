"""Trains a language model on drawn problems: the generator, the strong model, the large model.

This file owns the training examples, the batches, the learning-rate schedule
and the loop. Length is given in tokens, not minutes: the generator's ability
rises sharply at some point, and only tokens make that repeatable.
"""
from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from data import Tokenizer, draw, draw_equation, draw_solution
from model import SHAPES, Model, Muon, Shape, deepen, load, save, widen

IGNORE = -100
DRILL_SHARE = 0.25  # examples that are ten bare calculations
Example = tuple[list[int], list[int]]  # inputs, and the target of each position


def shifted(prompt: list[int], completion: list[int]) -> Example:
    """Next-token targets on the completion only."""
    ids = prompt + completion
    return ids[:-1], [IGNORE] * (len(prompt) - 1) + completion


def drill_example(rng: random.Random, tokenizer: Tokenizer) -> Example:
    ids: list[int] = []
    targets: list[int] = []
    for _ in range(10):
        left, value = draw_equation(rng)
        asked, answer = tokenizer.encode(left + "="), tokenizer.encode(f"{value}\n")
        ids += asked + answer
        targets += [IGNORE] * len(asked) + answer
    return ids[:-1], targets[1:]


def solution_example(rng: random.Random, tokenizer: Tokenizer, tags: bool) -> Example:
    """A problem and a drawn solution; with `tags` a tag token follows every line and is never a target."""
    problem = draw(rng)
    prompt = tokenizer.encode(problem.prompt)
    completion: list[int] = []
    for line in draw_solution(problem, rng):
        completion += tokenizer.encode(line + "\n") + [tokenizer.tag] * tags
    ids, targets = shifted(prompt, completion + [tokenizer.end])
    return ids, [IGNORE if t == tokenizer.tag else t for t in targets]


def language_example(rng: random.Random, tokenizer: Tokenizer, tag_share: float) -> Example:
    if rng.random() < DRILL_SHARE:
        return drill_example(rng, tokenizer)
    return solution_example(rng, tokenizer, rng.random() < tag_share)


def pad(rows: list[list], length: int, filler: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows], dtype=dtype)


def batches(make: Callable[[], tuple], tokens: int, rng: random.Random, pool: int = 2048) -> Iterator[list[tuple]]:
    """Endless lists of examples of similar length, `tokens` padded tokens each, in random order."""
    while True:
        examples = sorted((make() for _ in range(pool)), key=lambda e: len(e[0]))
        groups: list[list[tuple]] = [[]]
        for example in examples:
            if (len(groups[-1]) + 1) * len(example[0]) > tokens and groups[-1]:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        yield from groups


def schedule(done: float, step: int, flat: float) -> float:
    """Short warm-up, constant until `flat` of the tokens, then linear to 2%."""
    warmup = min(1.0, (step + 1) / 30)
    return warmup * (1.0 if done < flat else max(0.02, (1 - done) / (1 - flat)))


def next_token_loss(model: Model, ids: Tensor, targets: Tensor) -> Tensor:
    where = (targets != IGNORE).nonzero(as_tuple=True)
    return F.cross_entropy(model.logits(model.hidden(ids)[where]).float(), targets[where])


def training_flops(model: Model, batch: int, length: int) -> float:
    attention = 6 * model.shape.layers * model.shape.width * length
    return batch * length * (6 * model.parameter_count + attention)


def train(model: Model, make: Callable[[], Example], tokens: float, batch_tokens: int, lr: float, adam_lr: float,
          seed: int, bf16: bool, flat: float, out: Path) -> dict:
    """Runs the loop for `tokens` padded tokens and saves the model with what it cost."""
    optimiser = Muon(list(model.named_parameters()), lr, adam_lr, bf16)
    model.train()
    began, cpu = time.time(), time.process_time()
    seen = flops = step = sequences = 0
    average = None
    for group in batches(make, batch_tokens, random.Random(seed)):
        if seen >= tokens:
            break
        length = max(len(e[0]) for e in group)
        ids = pad([e[0] for e in group], length, 0, torch.long)
        targets = pad([e[1] for e in group], length, IGNORE, torch.long)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = next_token_loss(model, ids, targets)
        loss.backward()
        optimiser.step(schedule(seen / tokens, step, flat))
        step, seen, sequences = step + 1, seen + ids.numel(), sequences + len(group)
        flops += training_flops(model, *ids.shape)
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if step % 100 == 0:
            rate = seen / (time.process_time() - cpu)
            print(f"{step} {time.time() - began:.0f}s loss {average:.4f} tokens {seen / 1e6:.2f}M {rate:.0f}/cpu-s", flush=True)
        if step % 500 == 0:
            save(model, out.with_suffix(".part.pt"), {"tokens": seen})
    meta = {"parameters": model.parameter_count, "steps": step, "tokens": seen, "sequences": sequences,
            "train_flops": flops, "cpu_minutes": (time.process_time() - cpu) / 60, "loss": average}
    save(model, out, meta)
    print(json.dumps(meta))
    return meta


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokens", type=float, required=True)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=4e-3)
    parser.add_argument("--flat", type=float, default=0.4, help="share of the tokens before the rate falls")
    parser.add_argument("--tag-share", type=float, default=0.0)
    parser.add_argument("--grow-from", type=Path, help="start as a deeper, and if need be wider, model of the same function")
    parser.add_argument("--start-from", type=Path, help="continue with the weights of this model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer, rng = Tokenizer(), random.Random(args.seed)
    if args.grow_from:
        small, wanted = load(args.grow_from)[0], SHAPES[args.shape]
        if small.shape.width == wanted["width"]:
            model = deepen(small, wanted["layers"])
        else:
            model = widen(small, Shape(vocabulary=tokenizer.size, **wanted))
    elif args.start_from:
        model = load(args.start_from)[0]
    else:
        model = Model(Shape(vocabulary=tokenizer.size, **SHAPES[args.shape]))
    train(model, lambda: language_example(rng, tokenizer, args.tag_share), args.tokens, args.batch_tokens,
          args.lr, args.adam_lr, args.seed, args.bf16, args.flat, args.out)


if __name__ == "__main__":
    main()

"""Draws solutions from a model for many prompts at once.

This file owns batched decoding: the samples of one prompt share its keys and
values, and finished rows are dropped now and then. As a script it draws
problems of a split and writes one JSON line each: the problem and a count of
every distinct solution text.
"""
from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Iterator

import torch
from torch import Tensor

from data import Operation, Problem, Tokenizer, draw, final_answer
from model import Model, load

GROW = 32  # positions by which the samples' own caches grow
PROMPTS_AT_ONCE = 1536  # prompts x samples in one batch


class Decoder:
    """State of `prompts` x `samples` rows that are decoded in step with each other."""

    def __init__(self, model: Model, prompts: list[list[int]], samples: int) -> None:
        self.model, self.shape = model, model.shape
        self.lengths = torch.tensor([len(p) for p in prompts])
        width = int(self.lengths.max())
        ids = torch.tensor([p + [0] * (width - len(p)) for p in prompts])
        self.shared: list[tuple[Tensor, Tensor]] = []
        hidden = model.hidden(ids, self.shared)[torch.arange(len(prompts)), self.lengths - 1]
        self.logits = model.logits(hidden)[:, None].expand(-1, samples, -1)
        beyond = torch.arange(width) >= self.lengths[:, None]
        self.mask = torch.zeros(len(prompts), 1, 1, width).masked_fill_(beyond[:, None, None], -1e9)
        self.own = [self._empty(len(prompts), samples, GROW) for _ in range(2 * self.shape.layers)]
        self.steps = 0

    def _empty(self, prompts: int, samples: int, positions: int) -> Tensor:
        return torch.zeros(prompts, samples, self.shape.kv_heads, positions, self.shape.head_size)

    def keep(self, prompts: Tensor, columns: Tensor) -> None:
        """Keeps these prompts, and of each the samples listed in its row of `columns`."""
        index = columns[:, :, None, None, None]
        take = lambda x: x[prompts].gather(1, index.expand(-1, -1, *x.shape[2:]))
        self.own = [take(x) for x in self.own]
        self.shared = [(k[prompts], v[prompts]) for k, v in self.shared]
        self.mask, self.lengths = self.mask[prompts], self.lengths[prompts]

    def step(self, tokens: Tensor) -> None:
        """Feeds one token to every row and computes the next logits."""
        if self.steps == self.own[0].shape[3]:
            self.own = [torch.cat((x, self._empty(*x.shape[:2], GROW)), 3) for x in self.own]
        model, position = self.model, self.lengths + self.steps
        cos, sin = (table[position][:, None, None] for table in (model.cos, model.sin))
        x = model.token_embd(tokens)
        for layer, block in enumerate(model.blk):
            q, k, v = block.project(x, cos, sin)
            own_k, own_v = self.own[2 * layer], self.own[2 * layer + 1]
            own_k[:, :, :, self.steps], own_v[:, :, :, self.steps] = k, v
            filled = slice(0, self.steps + 1)
            y = self._attend(q, *self.shared[layer], own_k[:, :, :, filled], own_v[:, :, :, filled])
            x = block.feed_forward(x + block.attn_output(y))
        self.steps += 1
        self.logits = model.logits(x)

    def _attend(self, q: Tensor, shared_k: Tensor, shared_v: Tensor, own_k: Tensor, own_v: Tensor) -> Tensor:
        prompts, samples, heads, size = q.shape
        kv, group = self.shape.kv_heads, heads // self.shape.kv_heads
        q = q.view(prompts, samples, kv, group, size) / math.sqrt(size)
        by_prompt = lambda y: y.transpose(1, 2).reshape(prompts, kv, samples * group, -1)
        by_sample = lambda y: y.view(prompts, kv, samples, group, -1).transpose(1, 2)
        to_shared = by_sample(by_prompt(q) @ shared_k.mT + self.mask)
        weights = torch.softmax(torch.cat((to_shared, q @ own_k.mT), -1), -1)
        on_shared, on_own = weights.split((shared_k.shape[2], own_k.shape[3]), -1)
        y = by_sample(by_prompt(on_shared) @ shared_v) + on_own @ own_v
        return y.reshape(prompts, samples, heads * size)


def pick(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    noise = torch.empty(logits.shape).exponential_(generator=generator)
    return (torch.softmax(logits / temperature, -1) / noise).argmax(-1)


@torch.no_grad()
def sample(model: Model, prompts: list[list[int]], samples: int, generator: torch.Generator,
           temperature: float = 1.0, limit: int = 160, end: int = 1) -> list[list[list[int]]]:
    """For every prompt `samples` continuations, the end token (if reached) included."""
    decoder = Decoder(model, prompts, samples)
    rows = torch.arange(len(prompts) * samples).view(len(prompts), samples)
    alive = torch.ones_like(rows, dtype=torch.bool)
    out: list[list[int]] = [[] for _ in range(rows.numel())]
    for _ in range(limit):
        tokens = pick(decoder.logits, temperature, generator)
        for row, token in zip(rows[alive].tolist(), tokens[alive].tolist()):
            out[row].append(token)
        alive &= tokens != end
        left = alive.sum(1)
        widest = int(left.max())
        if widest == 0:
            break
        if int((left > 0).sum()) * widest < 0.75 * alive.numel():
            prompts_left = (left > 0).nonzero()[:, 0]
            columns = torch.argsort((~alive[prompts_left]).int(), dim=1, stable=True)[:, :widest]
            alive, rows, tokens = (x[prompts_left].gather(1, columns) for x in (alive, rows, tokens))
            decoder.keep(prompts_left, columns)
        decoder.step(tokens)
    return [out[i * samples:(i + 1) * samples] for i in range(len(prompts))]


def sample_texts(model: Model, tokenizer: Tokenizer, prompts: list[str], samples: int, generator: torch.Generator,
                 temperature: float = 1.0) -> Iterator[tuple[int, list[str]]]:
    """Like `sample` for any number of texts; yields (index of the prompt, its texts), shortest prompts first."""
    encoded = [tokenizer.encode(p) for p in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    size = max(1, PROMPTS_AT_ONCE // samples)
    for i in range(0, len(order), size):
        chosen = order[i:i + size]
        for index, rows in zip(chosen, sample(model, [encoded[j] for j in chosen], samples, generator, temperature)):
            yield index, [tokenizer.decode(ids) for ids in rows]


def read_problem(stored: dict) -> Problem:
    """The inverse of `asdict` followed by JSON."""
    pair = lambda x: tuple(x) if x else None
    operations = tuple(Operation(**o | {"factors": pair(o["factors"])}) for o in stored["operations"])
    return Problem(**stored | {"operations": operations, "start_factors": pair(stored["start_factors"])})


def read_samples(path: Path) -> Iterator[tuple[Problem, Counter]]:
    """The problems of a file of samples, each with the count of every distinct solution text."""
    for line in path.open():
        record = json.loads(line)
        yield read_problem(record["problem"]), Counter(record["samples"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="train", choices=("train", "dev", "heldout"))
    parser.add_argument("--problems", type=int, default=600)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model, tokenizer = load(args.model)[0], Tokenizer()
    rng, generator = random.Random(args.seed), torch.Generator().manual_seed(args.seed)
    began, right, tokens = time.process_time(), 0, 0
    done = 0
    with args.out.open("w") as file:
        while done < args.problems:
            drawn = {p.skeleton: p for p in (draw(rng, args.split) for _ in range(min(4096, args.problems - done)))}
            problems = list(drawn.values())
            drawn_texts = sample_texts(model, tokenizer, [p.prompt for p in problems], args.samples, generator, args.temperature)
            for i, texts in sorted(drawn_texts):  # back in the order of drawing, which is not by difficulty
                right += sum(final_answer(t) == problems[i].answer for t in texts)
                tokens += sum(len(tokenizer.encode(t)) + 1 for t in texts)
                file.write(json.dumps({"problem": asdict(problems[i]), "samples": Counter(texts)}) + "\n")
            done += len(problems)
            seconds = time.process_time() - began
            print(f"{done} problems, pass@1 {right / done / args.samples:.3f}, {tokens} tokens, {seconds:.0f} cpu-s", flush=True)


if __name__ == "__main__":
    main()

"""Reads step scores off a verifier, in both of the ways the models support.

This file owns the two readings and the aggregation of step scores:

  likelihood  a step's score is the verifier's probability of the step's tokens,
              given the question and the earlier steps
  tag         a tag token follows every step and stays in the context; a step's
              score is P(+) of the logit pair (+, -) at its tag
"""
from __future__ import annotations

import math
from typing import Iterator

import torch
from torch import Tensor

from data import Tokenizer
from model import Model

BATCH_TOKENS = 8192
AGGREGATIONS = {
    "last": lambda scores: scores[-1],
    "min": min,
    "product": math.prod,
    "mean": lambda scores: sum(scores) / len(scores),
}


def split_lines(text: str) -> list[str]:
    """The complete lines of a solution, without their newlines."""
    return text.split("\n")[:-1]


def encode_steps(tokenizer: Tokenizer, prompt: str, lines: list[str], tags: bool) -> tuple[list[int], list[int]]:
    """Token ids, and for every line the position just after its last token (its tag included)."""
    ids = tokenizer.encode(prompt)
    ends = []
    for line in lines:
        ids += tokenizer.encode(line + "\n") + [tokenizer.tag] * tags
        ends.append(len(ids))
    return ids, ends


def padded_batches(rows: list[list[int]]) -> Iterator[tuple[list[int], Tensor]]:
    """Index lists with their padded ids, similar lengths together."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    while order:
        count = 1
        while count < len(order) and (count + 1) * len(rows[order[count]]) <= BATCH_TOKENS:
            count += 1
        chosen, order = order[:count], order[count:]
        width = len(rows[chosen[-1]])
        yield chosen, torch.tensor([rows[i] + [0] * (width - len(rows[i])) for i in chosen])


@torch.no_grad()
def likelihood_scores(model: Model, tokenizer: Tokenizer, solutions: list[tuple[str, list[str]]]) -> list[list[float]]:
    """For every (prompt, lines) the probability of each line."""
    encoded = [encode_steps(tokenizer, prompt, lines, tags=False) for prompt, lines in solutions]
    starts = [len(tokenizer.encode(prompt)) for prompt, _ in solutions]
    out: list[list[float]] = [[] for _ in solutions]
    for chosen, ids in padded_batches([ids for ids, _ in encoded]):
        log_p = torch.log_softmax(model(ids), -1)[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
        for row, i in enumerate(chosen):
            begin = starts[i]
            for end in encoded[i][1]:
                out[i].append(math.exp(log_p[row, begin - 1:end - 1].sum().item()))
                begin = end
    return out


@torch.no_grad()
def tag_scores(model: Model, tokenizer: Tokenizer, solutions: list[tuple[str, list[str]]]) -> list[list[float]]:
    """For every (prompt, lines) the P(+) at each line's tag."""
    encoded = [encode_steps(tokenizer, prompt, lines, tags=True) for prompt, lines in solutions]
    out: list[list[float]] = [[] for _ in solutions]
    for chosen, ids in padded_batches([ids for ids, _ in encoded]):
        logits = model(ids)
        positive = torch.sigmoid(logits[..., tokenizer.positive] - logits[..., tokenizer.negative])
        for row, i in enumerate(chosen):
            out[i] = [positive[row, end - 1].item() for end in encoded[i][1]]
    return out

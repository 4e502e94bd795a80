"""Trains the process reward model: new layers on top of the frozen strong model, read at a tag after each step.

This file owns the reward model's inputs, targets and stages. To judge a token
the network must compare what the strong model predicted one position earlier
with what came; so the first stage teaches exactly that, densely:

  distil  at every token: its probability relative to the strong model's
          favourite; at every tag: the least such value so far
  labels  at every tag: the Monte-Carlo value of the step (soft label, binary
          cross-entropy), with the first stage's targets mixed in
"""
from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from data import Tokenizer
from model import Model, Muon, Shape, load, save
from sample import read_problem, read_samples
from score import encode_steps, split_lines
from train import batches, pad, schedule

NEW_LAYERS = 4
BATCH_TOKENS = 1024  # small: the comparing circuit needs many steps rather than many tokens
NO_LABEL = -1.0
Example = tuple[list[int], list[int], list[float]]  # ids, kind of each position, Monte-Carlo value of each position
OTHER, TOKEN, TAG = 0, 1, 2


def extend(strong: Model) -> Model:
    """The strong model with identity layers on top and its own output matrix."""
    shape = asdict(strong.shape) | {"layers": strong.shape.layers + NEW_LAYERS, "untied": True}
    prm = Model(Shape(**shape))
    prm.load_state_dict(strong.state_dict(), strict=False)
    with torch.no_grad():
        prm.output.weight.copy_(strong.token_embd.weight)
        for block in prm.blk[strong.shape.layers:]:
            block.attn_output.weight.zero_()
            block.ffn_down.weight.zero_()
    return prm


def replace_backbone(prm: Model, strong: Model) -> None:
    """Puts a further trained strong model under existing reward layers."""
    state = strong.state_dict()
    prm.load_state_dict({n: t for n, t in state.items() if n != "output_norm.weight"}, strict=False)


def trainable(prm: Model, backbone_layers: int) -> list[tuple[str, torch.nn.Parameter]]:
    """The new layers, the final norm and the output matrix; everything else is frozen."""
    named = []
    for name, p in prm.named_parameters():
        new = name.startswith("output") or name.startswith("blk.") and int(name.split(".")[1]) >= backbone_layers
        p.requires_grad_(new)
        if new:
            named.append((name, p))
    return named


def make_example(tokenizer: Tokenizer, prompt: str, lines: list[str], values: list[float] | None) -> Example:
    ids, ends = encode_steps(tokenizer, prompt, lines, tags=True)
    begin = len(tokenizer.encode(prompt))
    kinds = [OTHER] * begin + [TOKEN] * (len(ids) - begin)
    labels = [NO_LABEL] * len(ids)
    for n, end in enumerate(ends):
        kinds[end - 1] = TAG
        labels[end - 1] = values[n] if values else NO_LABEL
    return ids, kinds, labels


@torch.no_grad()
def distillation_targets(strong: Model, hidden: Tensor, ids: Tensor, kinds: Tensor) -> Tensor:
    """Per position: a token's probability over that of the favourite; at a tag the least value so far."""
    logits = strong.logits(hidden)[:, :-1]
    relative = (logits.gather(-1, ids[:, 1:, None])[..., 0] - logits.amax(-1)).exp()
    relative = F.pad(relative, (1, 0), value=1.0)
    relative = torch.where(kinds == TOKEN, relative, torch.ones_like(relative))
    return torch.where(kinds == TAG, relative.cummin(1).values, relative)


def verdict(prm: Model, hidden: Tensor, backbone_layers: int, tokenizer: Tokenizer) -> Tensor:
    """The logit difference of + and - at every position, from the backbone's hidden states."""
    cos, sin = prm.cos[:hidden.shape[1]], prm.sin[:hidden.shape[1]]
    for block in prm.blk[backbone_layers:]:
        hidden = block(hidden, cos, sin)
    rows = prm.output.weight[tokenizer.positive] - prm.output.weight[tokenizer.negative]
    return prm.output_norm(hidden) @ rows


def prm_loss(z: Tensor, kinds: Tensor, labels: Tensor, targets: Tensor, distil: float) -> Tensor:
    """Cross-entropy on the labels where there are any, plus `distil` times that on the distilled targets."""
    each = F.binary_cross_entropy_with_logits(z, targets, reduction="none")
    loss = distil * (each[kinds == TOKEN].mean() + each[kinds == TAG].mean())
    labelled = labels != NO_LABEL
    if labelled.any():
        loss = loss + F.binary_cross_entropy_with_logits(z[labelled], labels[labelled])
    return loss


def run_stage(prm: Model, strong: Model, tokenizer: Tokenizer, make: Callable[[], Example], tokens: float,
              lr: float, adam_lr: float, distil: float, rng: random.Random, flat: float) -> dict:
    backbone = strong.shape.layers
    optimiser = Muon(trainable(prm, backbone), lr, adam_lr)
    seen = step = 0
    average, began = None, time.process_time()
    for group in batches(make, BATCH_TOKENS, rng):
        if seen >= tokens:
            break
        width = max(len(e[0]) for e in group)
        ids = pad([e[0] for e in group], width, 0, torch.long)
        kinds = pad([e[1] for e in group], width, OTHER, torch.long)
        labels = pad([e[2] for e in group], width, NO_LABEL, torch.float)
        with torch.no_grad():
            hidden = strong.hidden(ids)
        targets = distillation_targets(strong, hidden, ids, kinds)
        loss = prm_loss(verdict(prm, hidden, backbone, tokenizer), kinds, labels, targets, distil)
        loss.backward()
        optimiser.step(schedule(seen / tokens, step, flat))
        step, seen = step + 1, seen + ids.numel()
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if step % 100 == 0:
            print(f"{step} loss {average:.4f} tokens {seen / 1e6:.2f}M {seen / (time.process_time() - began):.0f}/cpu-s", flush=True)
    flops = seen * (2 * strong.parameter_count + 6 * (prm.parameter_count - strong.parameter_count))
    return {"steps": step, "tokens": seen, "loss": average, "train_flops": flops,
            "cpu_minutes": (time.process_time() - began) / 60}


def sample_examples(path: Path, tokenizer: Tokenizer, rng: random.Random, keep: int = 4) -> list[tuple]:
    """Unlabelled solutions: up to `keep` distinct texts of every problem."""
    out = []
    for problem, samples in read_samples(path):
        texts = [t for t in samples if t.endswith("\n")]
        out += [(problem.prompt, split_lines(t), None) for t in rng.sample(texts, min(keep, len(texts)))]
    return out


def label_examples(path: Path) -> list[tuple]:
    out = []
    for line in path.open():
        record = json.loads(line)
        prompt = read_problem(record["problem"]).prompt
        out += [(prompt, s["lines"], s["values"]) for s in record["solutions"]]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strong", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--labels", type=Path, help="without it only the first stage runs")
    parser.add_argument("--start-from", type=Path, help="a reward model whose new layers are trained on")
    parser.add_argument("--distil-tokens", type=float, required=True)
    parser.add_argument("--label-tokens", type=float, default=0)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer, rng = Tokenizer(), random.Random(args.seed)
    strong = load(args.strong)[0]
    unlabelled = sample_examples(args.samples, tokenizer, rng)
    if args.start_from:
        prm, meta = load(args.start_from)
        replace_backbone(prm.train(), strong)
    else:
        prm, meta = extend(strong), {}
    make = lambda: make_example(tokenizer, *rng.choice(unlabelled))
    meta["distil"] = run_stage(prm, strong, tokenizer, make, args.distil_tokens, 0.012, 2e-3, 1.0, rng, flat=0.5)
    save(prm, args.out.with_suffix(".distil.pt"), meta)
    if args.labels:
        labelled = label_examples(args.labels)
        make = lambda: make_example(tokenizer, *rng.choice(labelled if rng.random() < 0.7 else unlabelled))
        meta["labels"] = run_stage(prm, strong, tokenizer, make, args.label_tokens, 0.006, 1e-3, 0.3, rng, flat=0.1)
    meta["parameters"] = prm.parameter_count
    save(prm, args.out, meta)
    print(json.dumps(meta))


if __name__ == "__main__":
    main()

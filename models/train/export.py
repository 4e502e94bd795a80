"""Writes a trained model as a GGUF file that carries its own recipe, and checks it.

This file owns the GGUF metadata (architecture, tokenizer, `thinktree.*` keys)
and the comparison of a written file with the PyTorch model. Parameter names
are GGUF names already, so tensors are copied under their own names.
"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import gguf
import numpy as np
import torch

from data import ANSWER_PREFIX, PROMPT_TEMPLATE, RETRY, TAG, Tokenizer, draw, draw_solution
from evaluate import pass_at_1
from model import CONTEXT, NORM_EPS, ROPE_BASE, Model, load
from sample import read_samples, sample
from score import tag_scores
from train_reviser import MAX_ATTEMPTS

FILE_TYPES = {"F16": gguf.LlamaFileType.MOSTLY_F16, "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


def escaped(token: bytes) -> bytes:
    """The text form llama.cpp's `rwkv` tokenizer unescapes."""
    named = {9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"}
    return "".join(named.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in token).encode()


def recipe(kind: str, aggregation: str) -> dict[str, str | int]:
    """The `thinktree.*` keys of one kind of model."""
    role = {"likelihood": "verifier", "tag": "verifier"}.get(kind, kind)
    keys: dict[str, str | int] = {"role": role, "prompt_template": PROMPT_TEMPLATE, "step_delimiter": "\n",
                                  "answer_prefix": ANSWER_PREFIX}
    if role == "verifier":
        keys |= {"verifier.reading": kind, "verifier.aggregation": aggregation}
    if kind == "tag":
        keys |= {"verifier.tag": TAG, "verifier.positive": "+", "verifier.negative": "-"}
    if kind == "reviser":
        keys |= {"reviser.attempt_separator": RETRY, "reviser.max_attempts": MAX_ATTEMPTS}
    return keys


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    def token_type(token: bytes) -> int:
        if token in (b"<s>", b"</s>", TAG.encode()):
            return int(gguf.TokenType.CONTROL)
        return int(gguf.TokenType.UNUSED if token.startswith(b"<unused") else gguf.TokenType.NORMAL)

    writer.add_tokenizer_model("rwkv")
    writer.add_token_list([escaped(t) for t in tokenizer.tokens])
    writer.add_token_types([token_type(t) for t in tokenizer.tokens])
    writer.add_token_scores([0.0] * tokenizer.size)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(tokenizer.end)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)


def export(model: Model, out: Path, name: str, kind: str, aggregation: str, file_type: str) -> None:
    shape = model.shape
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name(name)
    writer.add_license("MIT")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(NORM_EPS)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(int(FILE_TYPES[file_type]))
    add_tokenizer(writer, Tokenizer())
    for key, value in recipe(kind, aggregation).items():
        add = writer.add_string if isinstance(value, str) else writer.add_uint32
        add(f"thinktree.{key}", value)
    for tensor_name, tensor in model.state_dict().items():
        values = tensor.float().numpy()
        if values.ndim == 1:
            writer.add_tensor(tensor_name, values)
        elif file_type == "F16":
            writer.add_tensor(tensor_name, values.astype(np.float16))
        else:
            quantised = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(tensor_name, quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_back(path: Path, original: Model) -> Model:
    """The model that a GGUF file's tensors describe, dequantised."""
    state = {t.name: torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type)))
             for t in gguf.GGUFReader(path).tensors}
    model = Model(original.shape)
    model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def check(path: Path, original: Model, prompts: int = 24) -> str:
    """Greedy texts and prompt logits of the file's tensors against the PyTorch model."""
    tokenizer, rng = Tokenizer(), random.Random(3)
    stored = read_back(path, original)
    encoded = [tokenizer.encode(draw(rng, "heldout").prompt) for _ in range(prompts)]
    greedy = lambda m: sample(m, encoded, 1, torch.Generator(), temperature=0.0)
    equal = sum(a == b for a, b in zip(greedy(original), greedy(stored)))
    error = max((original(torch.tensor([ids])) - stored(torch.tensor([ids]))).abs().max().item() for ids in encoded)
    return f"{path.name}: {path.stat().st_size} bytes, greedy equal on {equal} of {prompts}, largest logit difference {error:.3f}"


def check_tags(path: Path, original: Model, problems: int = 24) -> str:
    """P(+) at every tag of drawn solutions: the file's tensors against the PyTorch model."""
    tokenizer, rng = Tokenizer(), random.Random(3)
    drawn = [draw(rng, "heldout") for _ in range(problems)]
    inputs = [(p.prompt, draw_solution(p, rng)) for p in drawn]
    pairs = zip(tag_scores(original, tokenizer, inputs), tag_scores(read_back(path, original), tokenizer, inputs))
    error = max(abs(x - y) for a, b in pairs for x, y in zip(a, b))
    return f"{path.name}: {path.stat().st_size} bytes, largest difference of P(+) on {problems} solutions {error:.4f}"


QUESTIONS = {"heldout": "h", "calibration": "c"}  # kinds of question files, and how their ids begin


def write_questions(samples: Path, out: Path, prefix: str) -> None:
    """Questions with the generator's sampled pass@1."""
    with out.open("w") as file:
        for n, (problem, counts) in enumerate(read_samples(samples)):
            record = {"id": f"{prefix}{n:04d}", "question": problem.question, "answer": str(problem.answer),
                      "pass1": round(pass_at_1((problem, counts)), 4)}
            file.write(json.dumps(record) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a trained model, or a file of samples for files of questions")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", required=True, choices=("generator", "likelihood", "tag", "reviser", *QUESTIONS))
    parser.add_argument("--aggregation", default="min", help="of step scores, for verifiers")
    parser.add_argument("--type", default="F16", choices=FILE_TYPES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.kind in QUESTIONS:
        write_questions(args.model, args.out, QUESTIONS[args.kind])
        return
    model = load(args.model)[0]
    export(model, args.out, args.out.stem, args.kind, args.aggregation, args.type)
    print(check_tags(args.out, model) if args.kind == "tag" else check(args.out, model))


if __name__ == "__main__":
    main()

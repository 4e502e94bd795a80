"""What PyTorch and transformers make of the checkpoints in a folder: <recipe>.json beside this file.

Each recipe is written here as its model card (or the code that the card names) has it, a whole conversation at a time, and
knows nothing of thinktree. Classes that a checkpoint would bring as remote code are a backbone and a head in a few lines.
Everything is float32 on one thread, so that a second run gives the same files.

    python reference.py FOLDER [RECIPE ...]

Two liberties: steps are data, so no case has a text that is a special token; and no step ends its model's own separator.
Generative judges (GenPRM, ThinkPRM) write greedily here: what they would sample depends on whose random numbers.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

HERE = Path(__file__).parent
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


class Checkpoint:
    def __init__(self, folder: Path):
        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.config = AutoConfig.from_pretrained(folder)

    def load(self, kind):
        model, about = kind.from_pretrained(self.folder, dtype=torch.float32, output_loading_info=True)
        assert not about["missing_keys"], about  # transformers would draw them at random
        return model.eval()

    def causal(self):
        return self.load(AutoModelForCausalLM)

    def backbone(self):
        return self.load(AutoModel)

    def tensor(self, name: str):
        for file in sorted(self.folder.glob("*.safetensors")):
            with safe_open(file, "pt") as tensors:
                if name in tensors.keys():
                    return tensors.get_tensor(name).float()
        return None

    def linear(self, name: str) -> nn.Linear:
        weight, bias = self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.weight.data = weight
        if bias is not None:
            layer.bias.data = bias
        return layer

    def chat(self, messages) -> str:
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)


class Headed:
    """Any of the classes that put a head on the final hidden states."""

    def __init__(self, checkpoint: Checkpoint, head: nn.Module):
        self.checkpoint, self.model, self.head = checkpoint, checkpoint.backbone(), head

    def __call__(self, ids):
        states = self.model(torch.tensor([ids])).last_hidden_state[0]
        return states, self.head(states)


def case(ids, reads, scores, states, text=None):
    found = {"tokens": ids, "reads": reads, "scores": scores}
    # Each read's would make the files large; the last depends on all that comes before.
    found["hidden"] = [float(f"{x:.6g}") for x in states[reads[-1]].tolist()]
    return found if text is None else {"text": text, **found}


def math_shepherd(checkpoint):
    """peiyi9979/math-shepherd-mistral-7b-prm: the tag's own logits."""
    tokenizer, model = checkpoint.tokenizer, checkpoint.causal()
    good, bad = tokenizer.encode("+ -")[1:]
    tag = tokenizer.encode("ки")[-1]

    def score(question, steps):
        text = f"{question} " + "\n".join(f"{step} ки" for step in steps)
        ids = tokenizer.encode(text)
        found = model(torch.tensor([ids]), output_hidden_states=True)
        chances = found.logits[0][:, [good, bad]].softmax(-1)[:, 0]
        reads = [i for i, token in enumerate(ids) if token == tag]
        return case(ids, reads, chances[reads].tolist(), found.hidden_states[-1][0], text)

    return score, {"tag": tag, "positive": good, "negative": bad}


def rlhflow(checkpoint):
    """RLHFlow/Llama3.1-8B-PRM-*: a turn a step; what the assistant would answer, one token before its "+"."""
    tokenizer, model = checkpoint.tokenizer, checkpoint.causal()
    plus, minus = tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]

    def score(question, steps):
        conversation, reads, scores = [], [], []
        for k, step in enumerate(steps):
            conversation.append({"role": "user", "content": f"{question} {step}" if k == 0 else step})
            conversation.append({"role": "assistant", "content": "+"})
            text = checkpoint.chat(conversation)
            ids = tokenizer.encode(text, add_special_tokens=False)
            found = model(torch.tensor([ids]), output_hidden_states=True)
            reads.append(len(ids) - 3)
            scores.append(found.logits[0, -3, [plus, minus]].softmax(-1)[0].item())
        return case(ids, reads, scores, found.hidden_states[-1][0], text)

    return score, {"positive": plus, "negative": minus}


def skywork(checkpoint):
    """Skywork/Skywork-o1-Open-PRM-Qwen-2.5-*: steps encoded apart, each followed by a newline's token."""
    tokenizer = checkpoint.tokenizer
    model = Headed(checkpoint, checkpoint.linear("v_head.summary"))
    newline = tokenizer.encode("\n")[-1]

    def score(question, steps):
        ids = tokenizer.encode(tokenizer.bos_token + question + "\n")
        reads = []
        for step in steps:
            ids += tokenizer.encode(step.replace("\n", " ")) + [newline]
            reads.append(len(ids) - 1)
        states, values = model(ids)
        return case(ids, reads, values[reads, 0].sigmoid().tolist(), states)

    return score, {"separator": newline}


def qwen_prm(checkpoint):
    """Qwen/Qwen2.5-Math-PRM-*: <extra_0> after each step, two layers, the second class."""
    tokenizer = checkpoint.tokenizer
    head = nn.Sequential(checkpoint.linear("score.0"), nn.ReLU(), checkpoint.linear("score.2"))
    model = Headed(checkpoint, head)
    tag = tokenizer.encode("<extra_0>")[0]

    def score(question, steps):
        text = checkpoint.chat(
            [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": question},
                {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
            ]
        )
        ids = tokenizer.encode(text)
        states, values = model(ids)
        reads = [i for i, token in enumerate(ids) if token == tag]
        return case(ids, reads, values[reads].softmax(-1)[:, 1].tolist(), states, text)

    return score, {"tag": tag}


def reason_eval(checkpoint):
    """GAIR/ReasonEval-7B and -34B, codes/examples.py: the pad token marks the ends of steps and is then taken out.

    The 7B's pad token is its start token, which is put back in front after the positions were counted: it is read one
    token before each step's last. The 34B is read at the last.
    """
    tokenizer = checkpoint.tokenizer
    model = Headed(checkpoint, checkpoint.linear("score_head"))
    small = checkpoint.config.architectures == ["ReasonEval_7B"]

    def score(question, steps):
        separator = tokenizer.pad_token
        text = f"Question:\n{question}\nAnswer:\nLet's think step by step.\n"
        marked = tokenizer(text + separator + "".join(step + separator for step in steps))["input_ids"]
        mark = tokenizer(separator)["input_ids"][-1]
        ids, reads = [], []
        for i, token in enumerate(marked):
            if token == mark:
                reads.append(i - 1 - len(reads))
            else:
                ids.append(token)
        if small:
            ids, reads = [1] + ids, reads[2:]
        else:
            reads = reads[1:]
        assert len(reads) == len(steps)
        states, values = model(ids)
        chances = values[reads].softmax(-1)
        return case(ids, reads, (chances[:, 1] + chances[:, 2]).tolist(), states)

    return score, {}


def eurus(checkpoint):
    """PRIME-RL/EurusPRM-*: 0.001 times the log-likelihood ratio to a reference model, summed from the answer's start."""
    tokenizer, model = checkpoint.tokenizer, checkpoint.causal()
    reference = Checkpoint(checkpoint.folder.with_name(checkpoint.folder.name + "-reference")).causal()

    def log_probabilities(model, ids):
        logits = model(torch.tensor([ids])).logits[0, :-1]
        return logits.log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]]

    def score(question, steps):
        steps = [f"Step {k + 1}: {step}" for k, step in enumerate(steps)]

        def conversation(n):
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "\n\n".join(steps[:n])}]
            return checkpoint.chat(messages)

        text = conversation(len(steps))
        ids = tokenizer.encode(text, add_special_tokens=False)
        last = []
        for n in range(len(steps) + 1):
            part = conversation(n).strip()
            if n not in (0, len(steps)):
                part += "\n\n"
            last.append(len(tokenizer.encode(part, add_special_tokens=False)) - 2)
        ratio = 0.001 * (log_probabilities(model, ids) - log_probabilities(reference, ids))
        ratio[: last[0] - 1] = 0
        sums = ratio.cumsum(-1)
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0]
        # `sums[i]` ends with what token i says of token i + 1.
        return case(ids, last[1:], sums[last[1:]].tolist(), states, text)

    return score, {}


def trl(checkpoint):
    """trl.PRMTrainer: no template; the separator's last token, the second class."""
    tokenizer = checkpoint.tokenizer
    model = Headed(checkpoint, checkpoint.linear("score"))

    def score(question, steps):
        start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        ids = start + tokenizer(question, add_special_tokens=False)["input_ids"]
        reads = []
        for step in steps:
            ids += tokenizer(step, add_special_tokens=False)["input_ids"]
            ids += tokenizer.encode("\n", add_special_tokens=False)
            reads.append(len(ids) - 1)
        states, values = model(ids)
        return case(ids, reads, values[reads].softmax(-1)[:, 1].tolist(), states)

    return score, {}


def orm(checkpoint):
    """*ForSequenceClassification with one label: the reward of a whole conversation, at its last token, as it is."""
    tokenizer = checkpoint.tokenizer
    model = Headed(checkpoint, checkpoint.linear("score"))

    def score(question, steps):
        text = checkpoint.chat(
            [{"role": "user", "content": question}, {"role": "assistant", "content": "\n".join(steps)}]
        )
        ids = tokenizer.encode(text, add_special_tokens=False)
        states, values = model(ids)
        return case(ids, [len(ids) - 1], [values[-1, 0].item()], states, text)

    return score, {}


class Judge:
    """A model that writes: greedily, as far as LONGEST, since random weights come to no end by themselves."""

    def __init__(self, checkpoint):
        self.checkpoint, self.tokenizer, self.model = checkpoint, checkpoint.tokenizer, checkpoint.causal()
        self.narrowest = float("inf")  # between the likeliest token and the next one, in all that was written

    def prompt(self, messages) -> str:
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def logits(self, ids):
        return self.model(torch.tensor([ids])).logits[0, -1]

    def write(self, ids):
        written = []
        while len(written) < LONGEST:
            best = self.logits(ids + written).topk(2)
            self.narrowest = min(self.narrowest, (best.values[0] - best.values[1]).item())
            written.append(best.indices[0].item())
            assert written[-1] != self.tokenizer.eos_token_id
        return written

    def share(self, ids, words):
        one, other = (self.encode(word) for word in words)
        assert len(one) == len(other) == 1
        return self.logits(ids)[[one[0], other[0]]].softmax(-1)[0].item()


def genprm(checkpoint):
    """GenPRM, src/prm_evaluation: a paragraph a turn, in a conversation; an analysis that is too long is closed, and the
    judgement begun for it. What has been written stays the tokens that it was."""
    judge = Judge(checkpoint)
    system = "You are a math teacher. Your task is to review and critique the paragraphs in solution step by step."

    def score(question, steps):
        messages, turns, ids, text = [{"role": "system", "content": system}], [], [], ""
        for k, step in enumerate(steps):
            messages.append({"role": "user", "content": f"Question: {question}\n\n{step}" if k == 0 else step})
            begin = f"<analyze>\nLet's analyze the Paragraph {k + 1} step by step: "
            prompt = judge.prompt(messages) + begin
            assert prompt.startswith(text)
            added = judge.encode(prompt[len(text) :])
            ids = ids + added
            written = judge.write(ids)
            ending = "</analyze>\n<output>\n**Judgement**: $\\boxed{"
            ids = ids + written + judge.encode(ending)
            share = judge.share(ids, ["Yes", "No"])
            analysis = judge.tokenizer.decode(written)
            text = prompt + analysis + ending
            word = "Yes" if share >= 0.5 else "No"
            messages.append({"role": "assistant", "content": begin + analysis + ending + word + "}$\n</output>\n"})
            turns.append({"prompt": added, "analysis": written, "verdict": judge.encode(ending), "share": share})
        return judged(turns)

    return score, judge


def thinkprm(checkpoint):
    """ThinkPRM, utils/helper.py and prm/thinkprm.py: all steps so far in one prompt, and the question at the end."""
    judge = Judge(checkpoint)
    instruction = (
        "Review and critique each step in the proposed solution to determine whether each step is correct. "
        "If the solution is incomplete, only verify the provided steps."
    )

    def score(question, steps):
        turns = []
        for k in range(len(steps)):
            solution = "".join(f"Step {i + 1}: {step}\n" for i, step in enumerate(steps[: k + 1])).strip()
            content = (
                "You are given a math problem and a proposed step-by-step solution:\n\n"
                f"[Math Problem]\n\n{question}\n\n[Solution]\n\n{solution}\n\n{instruction}"
            )
            prompt = judge.encode(judge.prompt([{"role": "user", "content": content}]))
            written = judge.write(prompt)
            verdict = judge.encode("\nIs the solution correct?")
            share = judge.share(prompt + written + verdict, [" Yes", " No"])
            turns.append({"prompt": prompt, "analysis": written, "verdict": verdict, "share": share})
        return judged(turns)

    return score, judge


def judged(turns):
    return {"judged": [{**turn, "share": float(f"{turn['share']:.7g}")} for turn in turns]}


LONGEST = 12
JUDGES = {"genprm": genprm, "thinkprm": thinkprm}
RECIPES = {
    "math-shepherd": math_shepherd,
    "rlhflow": rlhflow,
    "skywork-o1": skywork,
    "qwen2.5-math-prm": qwen_prm,
    "reasoneval-7b": reason_eval,
    "reasoneval-34b": reason_eval,
    "eurus-prm": eurus,
    "trl": trl,
    "trl-llama": trl,
    "orm": orm,
}


def main(folder, *names):
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    cases = json.loads((HERE / "cases.json").read_text())
    for name in names or [*RECIPES, *JUDGES]:
        if name in JUDGES:
            with torch.no_grad():
                score, judge = JUDGES[name](Checkpoint(Path(folder) / name))
                found = [{**given, **score(**given)} for given in cases]
            # Nearer than that, other rounding writes another text.
            print(name, "narrowest choice", judge.narrowest)
            lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found)
            (HERE / f"{name}.json").write_text(f'{{"longest": {LONGEST}, "cases": [\n{lines}\n]}}\n')
            continue
        with torch.no_grad():
            score, about = RECIPES[name](Checkpoint(Path(folder) / name))
            found = [{**given, **score(**given)} for given in cases]
        assert all(len(one["reads"]) == (1 if name == "orm" else len(one["steps"])) for one in found)
        for one in found:
            one["scores"] = [float(f"{x:.7g}") for x in one["scores"]]
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found)
        head = json.dumps({"checkpoint": name, **about})[:-1]
        (HERE / f"{name}.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
        scores = [x for one in found for x in one["scores"]]
        print(name, "tokens up to", max(len(one["tokens"]) for one in found), "scores", min(scores), max(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])

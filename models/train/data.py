"""Word problems, their many valid solutions, and the tokenizer.

This file owns the text: how a question is phrased, which solution texts are
valid, how text becomes token ids, and which problems are held out. It knows
nothing about networks.

A problem is a running total that a list of operations changes. Its solution is
one calculation a line and an answer line:

    Q: Mia has 17 marbles. She buys 26 more. How many marbles does Mia have now?
    17+26=43
    A: 43
"""
from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

PROMPT_TEMPLATE = "Q: {question}\n"
ANSWER_PREFIX = "A: "
RETRY = "Try again:\n"
TAG = "<step>"
VOCAB_FILE = Path(__file__).with_name("vocab.json")

PEOPLE = [  # name, subject pronoun, object pronoun
    ("Mia", "She", "her"), ("Ben", "He", "him"), ("Tom", "He", "him"), ("Ana", "She", "her"),
    ("Sam", "He", "him"), ("Zoe", "She", "her"), ("Leo", "He", "him"), ("Eva", "She", "her"),
    ("Max", "He", "him"), ("Ivy", "She", "her"), ("Raj", "He", "him"), ("Lin", "She", "her"),
]
ITEMS = ["coins", "apples", "books", "cards", "shells", "stamps",
         "stones", "pens", "eggs", "cookies", "stickers", "marbles"]
BOXES = ["boxes", "bags", "packs", "jars"]

# {N} holder's name, {S}/{s} holder as a subject, {o} holder as an object, {M}
# another person, {a} {box} of {b} {it}, {t} the starting total.
START = ["{N} has {t} {it}.", "{N} starts with {t} {it}.", "{N} owns {t} {it}.",
         "At first {N} has {t} {it}.", "{N} begins with {t} {it}.", "{N} keeps {t} {it} at home."]
START_PRODUCT = ["{N} has {a} {box} with {b} {it} each.", "{N} has {a} {box} of {b} {it}.",
                 "{N} fills {a} {box} with {b} {it} each.", "{N} starts with {a} {box} of {b} {it}.",
                 "{N} owns {a} {box} and each has {b} {it}.",
                 "There are {b} {it} in each of the {a} {box} {N} has."]
EVENTS = {
    "add": ["{S} buys {b} more.", "{S} finds {b} {it}.", "{M} gives {o} {b} {it}.",
            "{S} gets {b} more {it} from {M}.", "{S} receives {b} more {it}.", "{S} picks up {b} {it}."],
    "sub": ["{S} gives {b} {it} to {M}.", "{S} loses {b} of them.", "{S} sells {b} {it}.",
            "{M} takes {b} of the {it}.", "{S} gives away {b} {it}.", "{S} uses {b} {it}."],
    "add_product": ["{S} buys {a} {box} of {b} {it}.", "{S} finds {a} {box} with {b} {it} each.",
                    "{S} gets {b} {it} from each of {a} friends.", "{M} brings {o} {a} {box} of {b} {it}.",
                    "Then {a} friends give {o} {b} {it} each."],
    "sub_product": ["{S} gives {b} {it} to each of {a} friends.", "{S} sells {a} {box} of {b} {it}.",
                    "{S} loses {a} {box} with {b} {it} each.", "{S} uses {a} {box} of {b} {it}.",
                    "{S} gives {a} friends {b} {it} each."],
    "mul": ["Soon {s} has {b} times as many.", "After that {s} has {b} times as many {it}.",
            "The number of {it} becomes {b} times as large.", "{S} now has {b} times as many as before.",
            "Then {s} makes the number of {it} {b} times as large."],
    "div": ["{S} splits them into {b} equal parts and keeps one part.",
            "{S} shares them equally among {b} people and keeps one share.",
            "{S} puts them into {b} equal piles and keeps one pile.",
            "{S} keeps only one of {b} equal shares."],
    "cmp_add": ["{M} has {b} more {it} than {N}.", "{M} owns {b} more than {N}.",
                "{N} has {b} fewer {it} than {M}.", "{M} has as many {it} as {N} and {b} more."],
    "cmp_sub": ["{M} has {b} fewer {it} than {N}.", "{M} owns {b} fewer than {N}.",
                "{N} has {b} more {it} than {M}.", "{M} needs {b} more {it} to have as many as {N}."],
    "cmp_mul": ["{M} has {b} times as many {it} as {N}.", "{M} has {b} times as many as {N}.",
                "{M} owns {b} times the number of {it} {N} has.", "For each of the {it} {N} has {M} has {b}."],
    "cmp_div": ["{M} has half as many {it} as {N}.", "{M} owns half as many as {N}.",
                "{N} has twice as many {it} as {M}.", "{M} has half the number of {it} {N} has."],
    "distractor": ["{S} is {b} years old.", "{M} has {b} {it}.", "{M} has {b} {other}.", "{S} also has {b} {other}.",
                   "{M} gives {b} {it} to {K}.", "The way home takes {b} minutes."],
}
SPECIAL = {  # further phrasings that name the factor in a word
    ("mul", 2): ["Then {s} doubles the number of {it}.", "Soon {s} has twice as many."],
    ("mul", 3): ["Then {s} triples the number of {it}."],
    ("cmp_mul", 2): ["{M} has twice as many {it} as {N}.", "{N} has half as many {it} as {M}."],
    ("div", 2): ["{S} gives half of them to {M}.", "{S} loses half of the {it}.",
                 "{S} sells half of them.", "{S} keeps only half of the {it}."],
}
ASK = ["How many {it} does {N} have now?", "How many {it} does {N} have in the end?",
       "Now how many {it} does {N} have?", "What number of {it} does {N} have now?",
       "Find the number of {it} {N} has now."]
ASK_TOGETHER = ["How many {it} do {P} and {N} have together?", "How many {it} do {P} and {N} have in total?",
                "How many {it} do {N} and {P} have altogether?",
                "What is the total number of {it} {P} and {N} have?"]

EVENT_WEIGHTS = {"add": 5, "sub": 5, "add_product": 2, "sub_product": 2, "mul": 1.6, "div": 1.6,
                 "cmp_add": 1.5, "cmp_sub": 1.5, "cmp_mul": 0.8, "cmp_div": 0.8, "distractor": 2.2}
MAX_EVENTS = 8
MAX_DISTRACTORS = 2
SIZES = (1, 2, 2, 3, 3)  # draws of the operand-size knob
TOTAL_CAP = {1: 60, 2: 120, 3: 250}
FACTOR_CAP = {1: 6, 2: 12, 3: 15}
OPERAND_RANGE = {1: (2, 9), 2: (2, 30), 3: (10, 80)}
START_RANGE = {1: (5, 30), 2: (10, 60), 3: (20, 120)}

# How often a drawn solution leaves the plainest form.
P_SWAP_PRODUCT, P_SWAP_SUM, P_EARLY_PRODUCT, P_MERGE = 0.3, 0.2, 0.2, 0.25


@dataclass(frozen=True)
class Operation:
    """One change of the running total: total `sign` value. `factors` when the value is itself a product."""
    sign: str
    value: int
    factors: tuple[int, int] | None = None
    mergeable: bool = False


@dataclass(frozen=True)
class Problem:
    question: str
    start: int
    start_factors: tuple[int, int] | None
    operations: tuple[Operation, ...]
    together: bool  # the answer adds the total before the last operation
    answer: int
    events: int
    skeleton: str  # kinds and numbers, without names and phrasing

    @property
    def prompt(self) -> str:
        return PROMPT_TEMPLATE.format(question=self.question)


# ---------------------------------------------------------------- problems

class _Story:
    """Builds one problem: sentences, operations and the running total."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng, self.size = rng, size
        self.holder = rng.choice(PEOPLE)
        self.item = rng.choice(ITEMS)
        self.seen = {self.holder[0]}
        self.sentences: list[str] = []
        self.operations: list[Operation] = []
        self.skeleton: list[str] = []
        self.compared_with: str | None = None  # set while the last change was a comparison
        self.name_next = True
        self.distractors = 0
        self._begin()

    def _other(self, *excluded: str) -> tuple[str, str, str]:
        return self.rng.choice([p for p in PEOPLE if p[0] not in self.seen and p[0] not in excluded])

    def _say(self, templates: list[str], **fields: object) -> None:
        name, subject, obj = self.holder
        if self.name_next or self.rng.random() < 0.25:
            upper = lower = obj = name
        else:
            upper, lower = subject, subject.lower()
        text = self.rng.choice(templates).format(
            N=name, S=upper, s=lower, o=obj, it=self.item, box=self.rng.choice(BOXES), **fields)
        self.sentences.append(text)
        self.name_next = False

    def _factors(self) -> tuple[int, int]:
        a = self.rng.randint(2, 5 if self.size == 1 else 9)
        return a, self.rng.randint(2, FACTOR_CAP[self.size])

    def _begin(self) -> None:
        self.start_factors = None
        if self.rng.random() < 0.25:
            a, b = self.start_factors = self._factors()
            self.total = a * b
            self._say(START_PRODUCT, a=a, b=b)
            self.skeleton.append(f"start {a}*{b}")
        else:
            self.total = self.rng.randint(*START_RANGE[self.size])
            self._say(START, t=self.total)
            self.skeleton.append(f"start {self.total}")
        self.start = self.total
        self.name_next = False

    def _apply(self, kind: str, sign: str, value: int, factors: tuple[int, int] | None = None) -> bool:
        """Tells the event and changes the total; False when the numbers do not fit."""
        cap = TOTAL_CAP[self.size]
        if sign == "+" and self.total + value > cap or sign == "-" and value >= self.total:
            return False
        if sign == "*" and (self.total > 50 or self.total * value > cap):
            return False
        comparison = kind.startswith("cmp")
        other = self._other()
        fields = {"M": other[0], "b": factors[1] if factors else value, "a": factors[0] if factors else 0}
        self._say(EVENTS[kind] + SPECIAL.get((kind, value), []), **fields)
        self.name_next = self._ambiguous(other)
        self.operations.append(Operation(sign, value, factors, sign in "+-" and not comparison))
        self.skeleton.append(f"{kind} {factors or value}")
        self.compared_with = self.holder[0] if comparison else None
        if comparison:
            self.holder = other
            self.seen.add(other[0])
            self.name_next = True
        self.total = evaluate(self.total, sign, value)
        return True

    def _ambiguous(self, other: tuple[str, str, str]) -> bool:
        """Whether a pronoun in the next sentence could mean the other person just named."""
        return other[1] == self.holder[1] and other[0] in self.sentences[-1]

    def event(self) -> bool:
        """Adds one event (or a distractor, which does not count: returns False)."""
        kinds, weights = zip(*EVENT_WEIGHTS.items())
        while True:
            kind = self.rng.choices(kinds, weights)[0]
            value = self.rng.randint(*OPERAND_RANGE[self.size])
            if kind == "distractor":
                if self.distractors == MAX_DISTRACTORS:
                    continue
                self._distract(value)
                return False
            factors = None
            if kind.endswith("product"):
                factors = self._factors()
                value = factors[0] * factors[1]
            elif kind.endswith("mul"):
                value = self.rng.choice([2, 2, 3, 3, 4, 5])
            elif kind.endswith("div"):
                value = self._divisor(only_half=kind == "cmp_div")
                if not value:
                    continue
            sign = {"add": "+", "sub": "-", "mul": "*", "div": "/"}[kind.replace("cmp_", "").replace("_product", "")]
            if self._apply(kind, sign, value, factors):
                return True

    def _divisor(self, only_half: bool) -> int:
        divisors = [d for d in range(2, 10) if self.total % d == 0 and self.total // d >= 2]
        if 2 in divisors and (only_half or self.rng.random() < 0.5):
            return 2
        return 0 if only_half or not divisors else self.rng.choice(divisors)

    def _distract(self, value: int) -> None:
        self.distractors += 1
        first = self._other()[0]
        self._say(EVENTS["distractor"], M=first, K=self._other(first)[0], b=value,
                  other=self.rng.choice([i for i in ITEMS if i != self.item]))
        self.name_next = True
        self.skeleton.append(f"distractor {value}")

    def finish(self, events: int) -> Problem:
        together = self.compared_with is not None and self.rng.random() < 0.6
        self.name_next = False
        if together:
            last = self.operations[-1]
            before = {"+": self.total - last.value, "-": self.total + last.value,
                      "*": self.total // last.value, "/": self.total * last.value}[last.sign]
            self._say(ASK_TOGETHER, P=self.compared_with)
            self.total += before
        else:
            self._say(ASK)
        self.skeleton.append("together" if together else "now")
        return Problem(" ".join(self.sentences), self.start, self.start_factors, tuple(self.operations),
                       together, self.total, events, "; ".join(self.skeleton))


def evaluate(left: int, sign: str, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[sign]


def make_problem(rng: random.Random, events: int, size: int) -> Problem:
    """One problem with `events` events (1-8) and operands of size class 1-3."""
    story = _Story(rng, size)
    told = 0
    while told < events and len(story.seen) < len(PEOPLE) - 3:
        told += story.event()
    return story.finish(told)


# ---------------------------------------------------------------- splits

def split_of(problem: Problem) -> str:
    """train (14/16), dev (1/16) or heldout (1/16), by the hash of kinds and numbers: no skeleton is in two."""
    bucket = hashlib.blake2b(problem.skeleton.encode(), digest_size=4).digest()[0] % 16
    return {0: "heldout", 1: "dev"}.get(bucket, "train")


def draw(rng: random.Random, split: str = "train") -> Problem:
    """One problem of the whole spectrum of difficulty, from one split."""
    while True:
        problem = make_problem(rng, rng.randint(1, MAX_EVENTS), rng.choice(SIZES))
        if split_of(problem) == split:
            return problem


# ---------------------------------------------------------------- solutions

Line = tuple[int, str, int]


def _lines(problem: Problem, early: frozenset[int], merged: frozenset[int]) -> list[Line]:
    """The calculation lines of one form of the solution.

    `early`: operations (-1 is the start) whose product is computed at the top.
    `merged`: operations i that are first summed up with operation i+1.
    """
    products = {-1: problem.start_factors} | {i: o.factors for i, o in enumerate(problem.operations)}
    line = lambda i: [(products[i][0], "*", products[i][1])] if products[i] else []
    late = lambda i: [] if i in early else line(i)
    out: list[Line] = [x for i in sorted(early) for x in line(i)] + late(-1)
    total = before = problem.start
    i = 0
    while i < len(problem.operations):
        op = problem.operations[i]
        out += late(i)
        value = op.value
        if i in merged:
            out += late(i + 1)
            out.append((value, "+", problem.operations[i + 1].value))
            value += problem.operations[i + 1].value
            i += 1
        out.append((total, op.sign, value))
        before, total = total, evaluate(total, op.sign, value)
        i += 1
    if problem.together:
        out.append((before, "+", total))
    return out


def _choices(problem: Problem) -> tuple[list[int], list[int]]:
    """Operations that may be computed early, and operations that may be merged with the next one."""
    ops = problem.operations
    early = [-1] * bool(problem.start_factors) + [i for i, o in enumerate(ops) if o.factors]
    pairs = [i for i in range(len(ops) - 1)
             if ops[i].mergeable and ops[i + 1].mergeable and ops[i].sign == ops[i + 1].sign]
    return early, pairs


def _text(line: Line) -> str:
    return f"{line[0]}{line[1]}{line[2]}={evaluate(*line)}"


def draw_solution(problem: Problem, rng: random.Random) -> list[str]:
    """A random valid solution, one string a line, the answer line last."""
    early, pairs = _choices(problem)
    merged: set[int] = set()
    for i in pairs:
        if i - 1 not in merged and rng.random() < P_MERGE:
            merged.add(i)
    chosen = frozenset(i for i in early if rng.random() < P_EARLY_PRODUCT)
    out = []
    for left, sign, right in _lines(problem, chosen, frozenset(merged)):
        if rng.random() < {"*": P_SWAP_PRODUCT, "+": P_SWAP_SUM}.get(sign, 0.0):
            left, right = right, left
        out.append(_text((left, sign, right)))
    return out + [f"{ANSWER_PREFIX}{problem.answer}"]


def normal_form(line: str) -> str:
    """The line with the operands of a sum or product in ascending order."""
    match = re.fullmatch(r"(\d+)([+*])(\d+)=(\d+)", line)
    if not match:
        return line
    low, high = sorted((int(match[1]), int(match[3])))
    return f"{low}{match[2]}{high}={match[4]}"


def _all_forms(problem: Problem) -> Iterator[list[str]]:
    early, pairs = _choices(problem)
    subsets = lambda xs: itertools.chain.from_iterable(itertools.combinations(xs, n) for n in range(len(xs) + 1))
    for merged in subsets(pairs):
        if any(i + 1 in merged for i in merged):
            continue
        for chosen in subsets(early):
            lines = _lines(problem, frozenset(chosen), frozenset(merged))
            yield [normal_form(_text(x)) for x in lines] + [f"{ANSWER_PREFIX}{problem.answer}"]


class Checker:
    """Exact symbolic check: how many leading lines of a text continue some valid solution."""

    def __init__(self, problem: Problem) -> None:
        self.prefixes = {tuple(form[:n]) for form in _all_forms(problem) for n in range(1, len(form) + 1)}

    def valid_lines(self, lines: list[str]) -> int:
        forms = [normal_form(x) for x in lines]
        count = 0
        while count < len(forms) and tuple(forms[:count + 1]) in self.prefixes:
            count += 1
        return count


def final_answer(text: str) -> int | None:
    """The number on the answer line, or None."""
    match = re.search(r"^A: (\d+)$", text, re.M)
    return int(match[1]) if match else None


# ---------------------------------------------------------------- arithmetic drill

def draw_equation(rng: random.Random) -> tuple[str, int]:
    """A bare calculation such as ("17+26", 43), in the ranges the problems use."""
    sign = rng.choices("+-*/", [5, 5, 2.5, 1.5])[0]
    size = rng.choice([1, 2, 2, 3, 3])
    if sign == "*":
        a, b = rng.randint(2, 9), rng.randint(2, 15)
        if rng.random() < 0.4:
            a, b = rng.randint(2, 50), rng.choice([2, 2, 3, 3, 4, 5])
        if rng.random() < 0.3:
            a, b = b, a
    elif sign == "/":
        b = rng.choice([2, 2, rng.randint(2, 9)])
        a = b * rng.randint(2, 250 // b)
    else:
        a = rng.randint(2, TOTAL_CAP[size])
        b = rng.randint(2, 9) * rng.randint(2, FACTOR_CAP[size]) if rng.random() < 0.2 else rng.randint(*OPERAND_RANGE[size])
        if sign == "+":
            a = min(a, 250 - b)
            a, b = (b, a) if rng.random() < P_SWAP_SUM else (a, b)
        else:
            a, b = max(a, b) + (a == b), min(a, b)
    return f"{a}{sign}{b}", evaluate(a, sign, b)


# ---------------------------------------------------------------- tokenizer

def build_vocabulary() -> list[bytes]:
    """Control tokens, the 256 bytes, format markers, and every word the questions use."""
    rng = random.Random(1234)
    words: set[str] = set()
    for _ in range(30000):
        words.update(re.findall(r" ?[A-Za-z]+", make_problem(rng, rng.randint(1, 8), rng.choice(SIZES)).question))
    words |= {"Q: ", ANSWER_PREFIX, RETRY}
    tokens = [b"<s>", b"</s>"] + [bytes([i]) for i in range(256)] + [TAG.encode()]
    tokens += sorted(w.encode() for w in words if len(w) > 1)
    while len(tokens) % 32:
        tokens.append(b"<unused%d>" % len(tokens))
    return tokens


class Tokenizer:
    """Greedy longest match over the vocabulary, as llama.cpp's `rwkv` tokenizer does it."""

    def __init__(self) -> None:
        if not VOCAB_FILE.exists():
            VOCAB_FILE.write_text(json.dumps([t.decode("latin1") for t in build_vocabulary()], indent=0))
        self.tokens = [t.encode("latin1") for t in json.loads(VOCAB_FILE.read_text())]
        self.id_of = {t: i for i, t in enumerate(self.tokens)}
        self.size = len(self.tokens)
        self.end = 1
        self.newline, self.tag = self.id_of[b"\n"], self.id_of[TAG.encode()]
        self.positive, self.negative = self.id_of[b"+"], self.id_of[b"-"]
        longest_first = sorted(self.tokens[2:], key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(t.decode("latin1")) for t in longest_first), re.S)

    def encode(self, text: str) -> list[int]:
        raw = text.encode().decode("latin1")
        return [self.id_of[t.encode("latin1")] for t in self._pattern.findall(raw)]

    def decode(self, ids: list[int]) -> str:
        return b"".join(self.tokens[i] for i in ids if i > 1).decode("utf8", "replace")


def main() -> None:
    """Prints a few problems with two drawn solutions each, and checks the tokenizer and the checker on them."""
    tokenizer, rng = Tokenizer(), random.Random(5)
    print("vocabulary", tokenizer.size)
    for events, size in ((1, 1), (3, 2), (5, 3), (8, 2)):
        problem = make_problem(rng, events, size)
        checker = Checker(problem)
        print(problem.prompt, end="")
        for _ in range(2):
            lines = draw_solution(problem, rng)
            assert checker.valid_lines(lines) == len(lines)
            print("  " + " | ".join(lines))
        assert tokenizer.decode(tokenizer.encode(problem.prompt)) == problem.prompt


if __name__ == "__main__":
    main()

"""What the model reads: golden prompts, and the promise that the answer is never among them."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from codehunch.generation.context import FileContext, words
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import (
    FIELD_BUDGETS,
    SPECIAL_TOKENS,
    Prompt,
    build_prompt,
    encode_prompt,
    encode_text,
    sentence_prompt,
)
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request

FILE = '''\
from __future__ import annotations
import os.path
import numpy as np
from collections import (
    OrderedDict,  # ordered
    deque as ring,
)

try:
    import ujson
except ImportError:
    ujson = None


def load(path, *, strict=True):
    return open(path)


class Store(
    Base,
    metaclass=Meta,
):
    limit: int = 3

    def __init__(self, path):
        self.path = path
        self.rows = []

    @classmethod
    def empty(cls): return cls("")

    def save(self, name: str, *rest, mode="w", **kwargs):
        """Write all rows to the path."""
        MARK

    def close(self):
        self.handle = 1
'''


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    result = Tokenizer(BPE())
    result.pre_tokenizer = ByteLevel(add_prefix_space=False)
    result.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    result.train_from_iterator([FILE], trainer)
    return result


def prompt_at(text: str, mark: str) -> Prompt:
    parsed = parse(text)
    request = find_request(parsed, text.index(mark))
    assert request is not None
    return build_prompt(FileContext(parsed), request)


def test_a_docstring_prompt() -> None:
    assert prompt_at(FILE.replace("MARK", "pass"), "pass").fields == (
        ("imports", "os, np, OrderedDict, ring, ujson"),
        ("class", "class Store( Base, metaclass=Meta, ): path, rows, limit, handle"),
        ("siblings", "empty(), close(), __init__(path)"),
        ("def", 'def save(self, name: str, *rest, mode="w", **kwargs):'),
        ("doc", "Write all rows to the path."),
    )


def test_names_of_the_request_come_first() -> None:
    text = "import a, b, row_reader\n\n\ndef f(x):\n    '''Use one reader for every row.'''\n    pass\n"
    assert prompt_at(text, "pass").fields[0] == ("imports", "row_reader, a, b")


def test_a_comment_prompt() -> None:
    text = (
        "import os\n\n\ndef walk(top):\n\t'''Names below.'''\n\tfound = []\n\tfor name in os.listdir(top):\n"
        "\t\tprint(name)\n\t# keep the python files only\n\t\n\treturn found\n"
    )
    assert prompt_at(text, "\t\n\treturn").fields == (
        ("imports", "os"),
        ("def", "def walk(top):"),
        ("before", "found = []\nfor name in os.listdir(top):\n    print(name)"),
        ("comment", "keep the python files only"),
    )


def test_a_comment_outside_functions() -> None:
    text = "rows = load()\n# count the rows by their first letter\n\n"
    fields = dict(prompt_at(text, "\n\n").fields)
    assert fields == {"before": "rows = load()", "comment": "count the rows by their first letter"}


@pytest.mark.parametrize("body", ["pass", "...", "raise NotImplementedError"])
def test_the_place_itself_is_never_read(body: str) -> None:
    long = "raise NotImplementedError('" + "x" * 300 + "')"
    other = prompt_at(FILE.replace("MARK", long), "raise")
    assert prompt_at(FILE.replace("MARK", body), body + "\n\n    def close") == other


def test_attributes_set_in_the_answer_are_hidden() -> None:
    parsed = parse("class A:\n    def f(self):\n        self.secret = 1\n    def g(self):\n        self.known = 2\n")
    context = FileContext(parsed)
    hidden = context.functions[0][0].body
    assert context.attributes("A", hidden) == ("known",)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("        a\n            b\n", "    ", "a\n    b"),
        ("\ta\n\t\tb\n\n\tc", "\t", "a\n    b\n\nc"),
        ("  if x:\n    y(1,\n      2)\n", "  ", "if x:\n    y(1,\n        2)"),
        ("    a\r\n        b   \r\n", "    ", "a\n    b"),
        ("    a(b,\n      c)", "    ", "a(b,\n  c)"),
    ],
)
def test_canonical_layout(text: str, unit: str, expected: str) -> None:
    assert to_canonical(text, unit) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("readLine_2", {"read", "line", "2"}),
        ("HTTPServer", {"http", "server"}),
        ("MAX_ROWS", {"max", "rows"}),
        ("f(x: int) -> None", {"f", "x", "int", "none"}),
        ("", set()),
    ],
)
def test_words(text: str, expected: set[str]) -> None:
    assert words(text) == expected


def test_encoding_is_bounded_and_ends_the_sequence(tokenizer: Tokenizer) -> None:
    prompt = Prompt((("imports", "a, " * 500), ("before", "start " + "x = 1\n" * 400 + "last"), ("doc", "word " * 900)))
    ids = encode_prompt(tokenizer, prompt, 384)
    assert len(ids) <= 384
    assert ids[-1] == tokenizer.token_to_id("</s>")
    budget = sum(FIELD_BUDGETS[marker] + 1 for marker, _ in prompt.fields) + 1
    assert len(ids) == min(budget, 384)
    before = ids[ids.index(tokenizer.token_to_id("<before>")) + 1 : ids.index(tokenizer.token_to_id("<doc>"))]
    assert tokenizer.decode(before).endswith("last")


def test_a_narrow_window_keeps_what_is_asked(tokenizer: Tokenizer) -> None:
    prompt = Prompt((("imports", "a, b"), ("siblings", "f(x)"), ("doc", "Sort the rows.")))
    ids = encode_prompt(tokenizer, prompt, 14)
    assert ids[0] == tokenizer.token_to_id("<doc>")
    assert len(ids) <= 14


def test_a_field_that_came_later_is_left_out_for_an_older_model(tokenizer: Tokenizer) -> None:
    stored = json.loads(tokenizer.to_str())
    for token in stored["added_tokens"]:
        if token["content"] == "<similar>":
            token["content"] = "<extra_31>"
    stored["model"]["vocab"] = {k.replace("<similar>", "<extra_31>"): v for k, v in stored["model"]["vocab"].items()}
    older = Tokenizer.from_str(json.dumps(stored))
    prompt = Prompt((("similar", "f(x)\nreturn x"), ("doc", "Sort.")))
    assert encode_prompt(older, prompt, 64) == encode_prompt(tokenizer, prompt.without("similar"), 64)
    assert len(encode_prompt(tokenizer, prompt, 64)) > len(encode_prompt(older, prompt, 64))


@pytest.mark.parametrize("text", ["</s>", "<doc>", "a <pad> b <extra_3>", "<mask>"])
def test_markers_in_a_text_are_text(tokenizer: Tokenizer, text: str) -> None:
    ids = encode_text(tokenizer, text)
    assert min(ids) >= len(SPECIAL_TOKENS)
    assert tokenizer.decode(ids) == text


def test_a_sentence_is_one_line() -> None:
    assert sentence_prompt(" Sort\n a  list ").fields == (("sentence", "Sort a list"),)


def test_parts_can_be_left_out() -> None:
    prompt = Prompt((("def", "def f():"), ("doc", "x")))
    assert prompt.without("doc").fields == (("def", "def f():"),)

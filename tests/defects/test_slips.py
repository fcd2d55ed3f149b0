"""Which names look misspelt, and what the model is told of them."""

from __future__ import annotations

import random
import time
from importlib import resources

import pytest

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.repairs import repairs
from codehunch.defects.rewrites import apply
from codehunch.defects.slips import KNOWN_FROM, SHORTEST, corrections, is_slip, parts_of, told
from codehunch.defects.surroundings import Around, Standing
from codehunch.defects.units import Unit, cut
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse


def unit_of(file: str) -> Unit:
    parsed = parse(file)
    return cut(parsed, find_functions(parsed)[-1], surroundings_of(file))


def misspelt(file: str) -> dict[str, str]:
    """Names of the last function of a file that look misspelt."""
    unit = unit_of(file)
    assert len(unit.told) == len(unit.standings) == len(unit.lexemes)
    both = zip(unit.lexemes, unit.standings, unit.told, strict=True)
    return {lexeme.text: Standing(now).name for lexeme, before, now in both if now != before}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("extenstions", ["extensions"]),
        ("Paramaeter", ["Parameter"]),
        ("requres_grad", ["requires_grad"]),
        ("MAX_LEGNTH", ["MAX_LENGTH"]),
        ("getRepsonseText", ["getResponseText"]),
        ("legnth2", ["length2"]),
        ("requires_grad", []),
        ("items", []),
        ("itmes", ["items", "times"]),
        ("xyzzyq", []),
        ("größe_legnth", []),
        ("", []),
        ("extenstions" * 20_000, []),
        ("_", []),
    ],
)
def test_corrections(name: str, meant: list[str]) -> None:
    assert set(corrections(name)) <= set(meant)
    assert meant[:1] == list(corrections(name))[:1]


@pytest.mark.parametrize(
    ("name", "meant", "slip"),
    [
        ("lcoale", "locale", True),
        ("reponse", "response", True),
        ("responsee", "response", True),
        ("resoonse", "response", True),
        ("names", "name", False),
        ("classes", "class", False),
        ("point1", "point2", False),
        ("point", "point2", False),
        ("x_label", "y_label", False),
        ("evec", "exec", False),
        ("header", "header", False),
        ("left_side", "right_side", False),
    ],
)
def test_a_slip_is_one_letter_and_no_other_name(name: str, meant: str, slip: bool) -> None:
    assert is_slip(name, meant) is slip


def test_only_what_nothing_else_speaks_for_is_told() -> None:
    clean = "def f(model, legnth):\n    paramaeter = legnth\n    return model.requires_grad, paramaeter\n"
    assert misspelt(clean) == {}  # A name that is spelt so everywhere, and has its value, is no defect.
    wrong = clean.replace("requires_grad", "requres_grad")
    assert misspelt(wrong) == {"requres_grad": "MISSPELT_RARE"}
    assert misspelt("def f(model):\n    return model.ndim, model.nbunchx\n") == {}
    assert misspelt("def f(path):\n    extenstions = path\n    return path\n") == {"extenstions": "MISSPELT_UNREAD"}
    star = "from os import *\ndef f(path):\n    return emumerate(path), gather(path)\n"
    assert misspelt(star) == {"emumerate": "MISSPELT_FROM_STAR"}
    assert misspelt(star.replace("from os import *\n", "")) == {}  # That nothing binds it says enough.
    odd = "class A(Base):\n    def close_quietly(self): pass\n    def f(self):\n        self.{}()\n"
    assert misspelt(odd.format("close_quielty")) == {"close_quielty": "MISSPELT_FOREIGN"}
    assert misspelt(odd.format("close_loudly")) == {}


def test_strings_that_are_one_name() -> None:
    text = "def f(self, data):\n    if hasattr(self, {}):\n        return self.filter_results, data['class']\n"
    assert misspelt(text.format("'fiter_results'")) == {"fiter_results": "MISSPELT_STRING"}
    assert misspelt(text.format("'filter_results'")) == {}
    assert misspelt(text.format("'a sentence with a legnth'")) == {}


@pytest.mark.parametrize(
    ("file", "wrong", "kind", "fixed"),
    [
        ("def f(model):\n    return model.requres_grad\n", "requres_grad", "wrong-attribute", "model.requires_grad"),
        ("def f(data):\n    return data['legnth']\n", "'legnth'", "wrong-literal", "data['length']"),
    ],
)
def test_what_was_meant_is_tried(file: str, wrong: str, kind: str, fixed: str) -> None:
    unit = unit_of(file)
    at = next(n for n, each in enumerate(unit.lexemes) if each.text and each.span.start == unit.text.index(wrong))
    assert fixed in apply(unit.text, repairs(unit, at, kind)[0].edits)


def test_a_name_that_is_bound_is_not_respelt_by_its_words() -> None:
    unit = unit_of("def f(legnth):\n    return legnth\n")
    at = max(n for n, each in enumerate(unit.lexemes) if each.text == "legnth")
    assert not any(rewrite.label == "length" for rewrite in repairs(unit, at, "variable-misuse"))


def test_it_is_told_alike_by_all_that_bears_on_the_function() -> None:
    file = "from shapes import *\ncircle = 1\nclass A(Base):\n    def widen(self): pass\n"
    unit = unit_of(file + "    def f(self):\n        self.wdien(cricle)\n")
    assert unit.around is not None
    narrowed = unit.around.narrowed({each.text for each in unit.lexemes})
    assert list(unit.told) == told(unit.lexemes, list(unit.standings), narrowed)
    assert Standing.MISSPELT_FROM_STAR in unit.told
    again = told(unit.lexemes, list(unit.standings), Around.from_json(unit.around.to_json()))
    assert list(unit.told) == again


def test_the_list_of_words() -> None:
    text = resources.files("codehunch.defects").joinpath("words.txt").read_text(encoding="utf-8")
    many, few = (part.split() for part in text.split("\n\n"))
    assert len(many) > 2000
    assert len(few) > len(many)
    assert not set(many) & set(few)
    assert all(word == word.lower() and word.isascii() for word in [*many, *few])
    assert min(map(len, many)) == SHORTEST
    assert min(map(len, few)) == KNOWN_FROM
    assert [part[0] for word in few[:50] for part in parts_of(word)] == few[:50]


def test_a_long_function_of_strange_names_takes_no_longer_per_name() -> None:
    """Many names that look alike: what is compared stays near what is written."""
    rng = random.Random(0)

    def seconds(count: int) -> float:
        names = {"a" + "".join(rng.choices("bcdefgh", k=9)) for _ in range(count)}
        unit = unit_of("from os import *\ndef f():\n" + "".join(f"    {name}()\n" for name in sorted(names)))
        assert unit.standings
        started = time.process_time()
        assert len(unit.told) == len(unit.lexemes)
        return time.process_time() - started

    seconds(100)
    assert not misspelt(f"from os import *\ndef f():\n    {'emumerate' * 20_000}()\n")
    assert seconds(2000) < 200 * max(seconds(100), 0.002)

"""Repairs undo what injection does, for every kind, byte for byte."""

from __future__ import annotations

import random
from importlib import resources

import pytest

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.repairs import repairs
from codehunch.defects.rewrites import apply, moved, slots
from codehunch.defects.units import Unit, cut
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse

TEXT = """async def load(self, path, limit=10, *, strict=True):
    if not path or limit < 0:
        raise ValueError(f"bad {path} for {limit}")
    total = 0
    names = [name.strip() for name in self.names if name in path]
    for index, name in enumerate(names):
        if strict and index >= limit - 1:
            total += self.size(name, index)
    await self.close(total, limit)
    return self.left if total == 0 else self.right
"""


def test_every_injected_defect_can_be_repaired() -> None:
    unit = Unit(TEXT, 0)
    assert unit.definition is not None
    kinds = set()
    for slot in slots(unit.parsed, unit.definition):
        for rewrite in slot.rewrites:
            faulty = unit.rewritten(rewrite.edits)
            if faulty is None:
                continue
            start = moved(rewrite.anchors[0], rewrite.edits)
            at = next(i for i, lexeme in enumerate(faulty.lexemes) if lexeme.text and lexeme.span.start == start)
            restored = {apply(faulty.text, fix.edits) for fix in repairs(faulty, at, slot.kind)}
            if len(slots(unit.parsed, unit.definition)) > 12 and slot.kind in ("wrong-call", "wrong-attribute"):
                # Their alternatives come from the function's other names: the original may have had only one place.
                continue
            if slot.kind == "variable-misuse" and TEXT not in restored:
                # The original name can be bound after the place only in the faulty text's own scope; none here.
                pytest.fail(f"{slot.kind}: {rewrite.label}")
            if slot.kind not in ("wrong-literal", "wrong-binary-operator"):
                assert TEXT in restored, (slot.kind, slot.span.of(TEXT), rewrite.label)
            kinds.add(slot.kind)
    assert len(kinds) >= 12, kinds


@pytest.mark.parametrize(
    ("text", "token", "kind"),
    [
        ("def f(a):\n    g(a)\n", "a", "missing-return"),  # not at the start of a statement
        ("def f(a):\n    return g(a)\n", "g", "missing-await"),  # not in an async function
        ("def f(a):\n    return 'x'\n", "return", "missing-f-prefix"),  # not a string
        ("def f(a):\n    return a\n", "return", "variable-misuse"),  # not a name
    ],
)
def test_no_repair(text: str, token: str, kind: str) -> None:
    unit = Unit(text, 0)
    at = max(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == token)
    assert repairs(unit, at, kind) == []


def test_edits_apply_in_any_order() -> None:
    unit = Unit(TEXT, 0)
    assert unit.definition is not None
    swap = next(s for s in slots(unit.parsed, unit.definition) if s.kind == "argument-swap").rewrites[0]
    shuffled = list(swap.edits)
    random.Random(1).shuffle(shuffled)
    assert apply(TEXT, shuffled) == apply(TEXT, swap.edits) == apply(TEXT, tuple(reversed(swap.edits)))


@pytest.mark.parametrize(
    ("token", "kind", "first"),
    [
        ("mesage", "variable-misuse", "message"),  # Bound nowhere, and spelt like a parameter.
        ("appennd", "wrong-call", "append"),  # Every list has it.
        ("lenght", "wrong-attribute", "length"),  # As elsewhere in the function.
        ("total", "variable-misuse", "found"),  # Bound nowhere, like nothing: what is in sight, the nearest first.
    ],
)
def test_names_that_stand_nowhere_are_mended(token: str, kind: str, first: str) -> None:
    text = (
        "def f(self, message):\n    found = [mesage]\n    found.appennd(self.length + self.lenght)\n    return total\n"
    )
    unit = Unit(text, 0)
    at = next(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == token)
    offered = [rewrite.label for rewrite in repairs(unit, at, kind)]
    assert offered[0] == first
    assert len(offered) == len(set(offered))
    mended = apply(text, repairs(unit, at, kind)[0].edits)
    assert mended == text.replace(token, first)


def test_a_known_method_is_no_misspelling() -> None:
    unit = Unit("def f(a):\n    a.append(1)\n    a.extend(2)\n", 0)
    at = next(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == "append")
    assert [rewrite.label for rewrite in repairs(unit, at, "wrong-attribute")] == []


FILE = """import json
class Account:
    def __init__(self):
        self.balance = 0
    def settle(self, amount):
        {statement}
class Other:
    overdraft = 0
def interest(account): ...
known = 0
"""


@pytest.mark.parametrize(
    ("statement", "token", "kind", "names"),
    [
        ("return self.balanc + amount", "balanc", "wrong-attribute", ["balance"]),
        ("return self.setle(amount)", "setle", "wrong-call", ["settle"]),
        ("return Account.setle(amount)", "setle", "wrong-call", ["settle"]),
        ("return self.overdarft", "overdarft", "wrong-attribute", []),  # Another class has it.
        ("return intrest(self)", "intrest", "wrong-call", ["interest"]),
        ("return jsno.dumps(amount)", "jsno", "variable-misuse", ["json"]),
        ("return isinstnace(self, int)", "isinstnace", "wrong-call", ["isinstance"]),
        ("return know + amount", "know", "variable-misuse", ["known"]),
        ("know = amount; return know", "know", "variable-misuse", []),  # Its own, not a slip.
        ("return Account(interests)", "Account", "wrong-call", []),  # Nothing wrong with it.
    ],
)
def test_names_of_the_file_are_offered_for_slips(statement: str, token: str, kind: str, names: list[str]) -> None:
    text = FILE.replace("{statement}", statement)
    parsed = parse(text)
    function = next(each for each in find_functions(parsed) if each.name == "settle")
    unit = cut(parsed, function, surroundings_of(text))
    at = max(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == token)
    offered = [rewrite.label for rewrite in repairs(unit, at, kind)]
    of_the_file = {"balance", "settle", "overdraft", "interest", "json", "isinstance", "known"}
    assert [name for name in offered if name in of_the_file] == names
    starred = cut(parsed, function, surroundings_of("from shapes import *\n" + text))  # The file may have more names.
    assert [rewrite.label for rewrite in repairs(starred, at, kind) if rewrite.label in of_the_file] == names
    alone = cut(parsed, function)
    assert not of_the_file & {rewrite.label for rewrite in repairs(alone, at, kind)} - {"settle"}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("laod", "load"), ("splitlnes", "splitlines"), ("startwith", "startswith"), ("itmes", "items times")],
)
def test_attributes_that_everybody_uses_are_offered_for_slips(wrong: str, right: str) -> None:
    text = f"def f(a):\n    return a.{wrong}()\n"
    unit = Unit(text, 0)
    at = next(i for i, lexeme in enumerate(unit.lexemes) if lexeme.text == wrong)
    for kind in ("wrong-call", "wrong-attribute"):
        # The most common one first.
        assert [rewrite.label for rewrite in repairs(unit, at, kind)] == right.split()
    assert repairs(Unit(text.replace(wrong, right.split()[0]), 0), at, "wrong-attribute") == []


def test_the_list_of_attributes() -> None:
    names = resources.files("codehunch.defects").joinpath("members.txt").read_text(encoding="utf-8").split("\n")
    assert names.pop() == ""
    assert len(names) == len(set(names)) > 1000
    assert all(name.isidentifier() and name.isascii() and len(name) >= 4 for name in names)


@pytest.mark.parametrize(
    ("body", "kind", "label", "after"),
    [
        ("rank = mpu.rank()\n        return rank, mpu.size()", "missing-self", "self.mpu", 2),
        ("names = [nmaes for nmaes in nmaes]\n        return nmae, nmae", "variable-misuse", "names", 2),
        ("mpu = 1\n        return mpu, mpu", "missing-self", "self.mpu", 1),
        ("return self.mpu, mpu, lambda mpu: mpu", "missing-self", "self.mpu", 1),
    ],
)
def test_a_name_that_nothing_binds_is_mended_wherever_it_stands(body: str, kind: str, label: str, after: int) -> None:
    text = f"class Loop:\n    def run(self):\n        {body}\n"
    parsed = parse(text)
    unit = cut(parsed, find_functions(parsed)[0], surroundings_of(text))
    at = max(number for number, each in enumerate(unit.lexemes) if each.text in ("mpu", "nmae"))
    (found,) = [each for each in repairs(unit, at, kind) if each.label == label]
    assert len(found.edits) == after
    assert apply(unit.text, found.edits).count(label) == unit.text.count(label) + after

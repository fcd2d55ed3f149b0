"""Long functions: what an edit leaves alone is not read again, and nothing reads differently for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from codehunch.bundles.store import active_bundle
from codehunch.inference import classifier as module
from codehunch.inference.classifier import Classifier, Reading
from codehunch.inference.placement import Placement
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import Lexeme, lexemes_of
from codehunch.syntax.parsing import parse

LINES = 220


def lexemes(changed: int = -1, becomes: str = "total") -> list[Lexeme]:
    """Of a function of many windows, one line of which may be another."""
    body = "".join(
        f"    if left < {number}:\n        {becomes if number == changed else 'total'} += right[left]\n"
        for number in range(LINES)
    )
    parsed = parse(f"def gather(left, right):\n    total = 0\n    total_more = 0\n{body}    return total\n")
    (node,) = [node for _, node in function_nodes(parsed)]
    return lexemes_of(parsed, node)


class Counted:
    """A classifier, and how many windows its graph has read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.classifier = Classifier(active_bundle("defects"), placement=Placement(1))
        self.windows = 0
        run = self.classifier._runner.run

        def counting(rows: Sequence[Any], cancelled: Any = None) -> Any:
            self.windows += len(rows)
            return run(rows, cancelled)

        monkeypatch.setattr(self.classifier._runner, "run", counting)

    def read(self, function: Sequence[Lexeme], within: Sequence[int] | None = None) -> tuple[Reading, int]:
        before = self.windows
        (found,) = self.classifier.read([function], None, (), [within] if within is not None else ())
        return found, self.windows - before


def same(one: Reading, other: Reading) -> bool:
    return np.array_equal(one.tokens, other.tokens) and np.array_equal(one.sequence, other.sequence)


@pytest.mark.parametrize("at", [0, LINES // 2, LINES - 1])
@pytest.mark.parametrize("becomes", ["right", "total_more"])
def test_what_an_edit_leaves_alone_is_not_read_again(at: int, becomes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed, fresh = Counted(monkeypatch), Counted(monkeypatch)
    _, every = typed.read(lexemes())
    assert every >= 8
    edited, again = typed.read(lexemes(at, becomes))
    expected, whole = fresh.read(lexemes(at, becomes))
    assert same(edited, expected)
    # The first lines stand in every window: there is what the function is called with.
    assert again <= (3 if at else whole)
    assert typed.read(lexemes(at, becomes))[1] == 0


def test_only_the_windows_that_matter_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    function = lexemes()
    whole, every = counted.read(function)
    last = len(function) - 2
    part, read = Counted(monkeypatch).read(function, [last])
    assert (read, len(part.parts), len(whole.parts)) == (1, 1, every)
    (own,) = part.parts
    assert own.first <= last < own.last
    assert np.array_equal(part.tokens[own.first : own.last], whole.tokens[own.first : own.last])
    assert (part.suspicion[: own.first] == 0).all()
    assert sorted((each.first, each.last) for each in whole.parts)[0][0] == 0
    assert min(float(each.sequence[0]) for each in whole.parts) == float(whole.sequence[0])


def test_few_windows_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    counted = Counted(monkeypatch)
    first, every = counted.read(lexemes())
    again, read = counted.read(lexemes())
    assert same(first, again)
    assert read == every - 5
    assert len(counted.classifier._remembered) == 5

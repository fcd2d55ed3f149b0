"""Every operation does what Python does with the text that is written for it."""

from __future__ import annotations

import collections
import itertools
import math
import statistics
from typing import Any

import pytest

from codehunch.synthesis.bank import EXPECTED
from codehunch.synthesis.operations import OPERATIONS, Operation
from codehunch.synthesis.values import TAKES, Lazy, kind_of, too_large

MODULES = {"math": math, "itertools": itertools, "statistics": statistics, "collections": collections}
VALUES: tuple[Any, ...] = (
    0, 1, 2, 3, 7, -4, 12, 97, 0.5, 2.0, -3.75, True, False, None,
    "", "a", "abc", "Hello world", "aab", "level", "12", " x ", "a,b,c", "3.5", "101", "one\ntwo",
    [], [3, 1, 2], [1, 1, 2], [5], [0.5, 1.5], ["b", "a", "cc"], ["x"], [[1, 2], [3, 4]], [[1], [2, 3]], [True, False],
    (1, 2), ("a", "b"), [("a", 1), ("b", 2)], {1, 2}, {2, 3}, {"a": 1, "b": 2}, {"a": 3}, {1: "x"},
    Lazy([1, 2, 3]), Lazy(["p", "q"]), Lazy([(0, "a"), (1, "b")]),
)  # fmt: skip


def calls(operation: Operation) -> list[tuple[tuple[Any, ...], Any]]:
    """Arguments that it takes, with what it makes of them."""
    options = [[value for value in VALUES if TAKES[use](kind_of(value))] for use in operation.takes]
    found = []
    for arguments in itertools.islice(itertools.product(*options), 4_000):
        try:
            value = operation.compute(*arguments)
        except EXPECTED:
            continue
        if not too_large(value):
            found.append((arguments, value))
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.template} {operation.takes}")
def test_it_is_what_is_written(operation: Operation) -> None:
    done = calls(operation)
    assert done, "nothing that it takes"
    code = compile(operation.template, "<operation>", "eval")
    for arguments, value in done:
        names = {f"_{place}": argument for place, argument in enumerate(arguments)}
        written = eval(code, {**MODULES, **names})
        if isinstance(value, Lazy):
            assert list(written) == list(value), arguments
            assert not isinstance(written, list), "written as a list, it would be one"
        else:
            assert type(written) is type(value), arguments
            assert written == value, arguments


def test_arguments_stay_as_they_are() -> None:
    before = repr(VALUES)
    for operation in OPERATIONS:
        calls(operation)
    assert repr(VALUES) == before

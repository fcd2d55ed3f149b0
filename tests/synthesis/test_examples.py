"""What a description states by examples."""

from __future__ import annotations

from typing import Any

import pytest

from codehunch.synthesis.examples import Example, examples_of

HEAD = "def turn(items, times=1):"


def pairs(description: str, header: str = HEAD) -> list[tuple[tuple[Any, ...], Any]]:
    return [(each.arguments, each.result) for each in examples_of(description, header)]


@pytest.mark.parametrize(
    ("description", "found"),
    [
        (">>> turn([1, 2])\n[2, 1]", [(([1, 2], 1), [2, 1])]),
        (">>> turn([1, 2], times=2)\n[1,\n 2]", [(([1, 2], 2), [1, 2])]),
        (">>> turn('ab')\n'ba'\nand so on\n", [(("ab", 1), "ba")]),
        (">>> turn([])\n>>> turn(None)\n", [(([], 1), None), ((None, 1), None)]),
        ("turn([1], 3) == [1], turn([2]) => [2].", [(([1], 3), [1]), (([2], 1), [2])]),
        ("turn((1, 2)) ➞ (2, 1) because it turns", [(((1, 2), 1), (2, 1))]),
        ("`turn('x')` should return `'x'`", [(("x", 1), "x")]),
        ("assert turn({'a': 1}) == {'a': 1}  # a comment", [(({"a": 1}, 1), {"a": 1})]),
        ("turn([1.5]) = 8. That is all.", [(([1.5], 1), 8)]),
        ("For items = [1, 2] and times = 3 the output should be [2, 1].", [(([1, 2], 3), [2, 1])]),
        ("Input: [1, 2], 5\nOutput: [2, 1]", [(([1, 2], 5), [2, 1])]),
        (">>> turn(range(3))\n[2, 1, 0]", []),
        (">>> other([1])\n[1]", []),
        (">>> turn([1])\nTraceback (most recent call last):\nValueError: no", []),
        ("It returns 5 when items is 3.", []),
        ("", []),
    ],
)
def test_what_is_read(description: str, found: list[tuple[tuple[Any, ...], Any]]) -> None:
    assert pairs(description) == found


@pytest.mark.parametrize(
    "header",
    [
        "def turn(self, items):",
        "def turn(*items):",
        "def turn(items, **options):",
        "async def turn(items):",
        "def turn():",
        "def turn(items",
    ],
)
def test_what_cannot_be_called_with_literals_alone_has_none(header: str) -> None:
    assert pairs(">>> turn([1])\n[1]", header) == []


def test_a_default_is_part_of_the_call_and_keywords_find_their_place() -> None:
    header = "def pad(text: str, *, width: int = 3, fill: str = '.') -> str:"
    assert pairs(">>> pad('a', fill='-')\n'--a'", header) == [(("a", 3, "-"), "--a")]


@pytest.mark.parametrize(
    "description",
    [
        ">>> turn(" + "[" * 3000 + "]" * 3000 + ")\n1",
        "turn(" * 500,
        ">>> turn([1])\n" + "9" * 100_000,
        "x = " + "(" * 400 + " -> 3",
        "\x00 >>> turn([1])\n[1]",
        ">>>turn([1])\n[1]",
        "f(" * 20_000,
        ">>> turn(1)\n" * 20_000,
        "1 -> " * 20_000,
        "'" * 100_000,
        "returns " * 10_000 + "1",
    ],
)
def test_hostile_descriptions_end_soon_and_fail_nothing(description: str) -> None:
    assert all(isinstance(each, Example) for each in examples_of(description, HEAD))

"""Programs from examples: right beyond what was shown, the same every time, and none where nothing short fits."""

from __future__ import annotations

import collections
import itertools
import math
import statistics
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest

from codehunch.synthesis.bodies import body_of
from codehunch.synthesis.choosing import evaluate
from codehunch.synthesis.examples import Example, examples_of, read_header
from codehunch.synthesis.search import Found, Task, search

MODULES = {"math": math, "itertools": itertools, "statistics": statistics, "collections": collections}


@attrs.frozen
class Asked:
    """A function by head and docstring, and calls that the docstring does not show."""

    header: str
    description: str
    hidden: dict[str, Any]


ASKED = (
    Asked(
        "def initials(name):",
        'Upper-case initials.\n>>> initials("ada lovelace")\n"AL"\n>>> initials("grace brewster hopper")\n"GBH"',
        {"'alan turing'": "AT", "'x'": "X"},
    ),
    Asked(
        "def evens(values):",
        "Keep the even values.\n>>> evens([1, 2, 3, 4])\n[2, 4]\n>>> evens([5, 6])\n[6]",
        {"[8, 3, 10]": [8, 10], "[]": []},
    ),
    Asked(
        "def longest(words):",
        'The longest word, None where there is none.\n>>> longest([])\n>>> longest(["a", "bbb", "cc"])\n"bbb"\n'
        '>>> longest(["xx", "y"])\n"xx"',
        {"['q', 'zz', 'abcd']": "abcd", "['one']": "one"},
    ),
    Asked(
        "def word_lengths(text):",
        "Length of each word.\n>>> word_lengths('a bb ccc')\n[1, 2, 3]",
        {"'hello you'": [5, 3]},
    ),
    Asked(
        "def rotate(items, n):",
        "Rotate to the left by n places.\n>>> rotate([1, 2, 3, 4], 1)\n[2, 3, 4, 1]\n"
        ">>> rotate([1, 2, 3, 4, 5], 3)\n[4, 5, 1, 2, 3]",
        {"[7, 0, 9], 2": [9, 7, 0]},
    ),
    Asked("def digit_sum(n):", "Sum of the digits.\ndigit_sum(123) == 6\ndigit_sum(99) == 18", {"5004": 9, "0": 0}),
    Asked(
        "def slug(title):",
        'Lower-case words joined by hyphens.\n>>> slug("Hello big World")\n"hello-big-world"',
        {"'A b'": "a-b"},
    ),
    Asked(
        "def mask(card):",
        'All but the last four digits become stars.\n>>> mask("12345678")\n"****5678"\n'
        '>>> mask("99991111222")\n"*******1222"',
        {"'000011112222'": "********2222"},
    ),
    Asked(
        "def clamp(x, low, high):",
        "Clamp x between low and high.\nclamp(5, 1, 3) -> 3\nclamp(0, 1, 3) -> 1\nclamp(2, 1, 3) -> 2",
        {"-4, -2, 2": -2, "9, 0, 10": 9},
    ),
    Asked(
        "def dot(a, b):",
        "Dot product of two vectors.\n>>> dot([1, 2, 3], [4, 5, 6])\n32\n>>> dot([1, 0], [2, 7])\n2",
        {"[2, 2, 2], [1, 1, 5]": 14},
    ),
    Asked(
        "def fizz(n):",
        '"Fizz" for multiples of 3, otherwise the number as a string.\n>>> fizz(3)\n"Fizz"\n>>> fizz(4)\n"4"\n'
        '>>> fizz(9)\n"Fizz"\n>>> fizz(10)\n"10"',
        {"21": "Fizz", "22": "22"},
    ),
    Asked("def mean(values):", "Average.\n>>> mean([1, 2, 3])\n2.0\n>>> mean([4, 5])\n4.5", {"[10]": 10.0}),
    Asked(
        "def invert(d):", 'Keys and values swapped.\n>>> invert({"a": 1, "b": 2})\n{1: "a", 2: "b"}', {"{5: 6}": {6: 5}}
    ),
    Asked("def flat(rows):", "Flatten.\n>>> flat([[1, 2], [3]])\n[1, 2, 3]", {"[[4], [], [5]]": [4, 5]}),
    Asked(
        "def by_length(words):",
        'Sort by length, then alphabetically.\n>>> by_length(["bb", "a", "cc", "aa"])\n["a", "aa", "bb", "cc"]\n'
        '>>> by_length(["zzz", "b", "aaa", "a"])\n["a", "b", "aaa", "zzz"]',
        {"['dog', 'a', 'cat']": ["a", "cat", "dog"]},
    ),
    Asked(
        "def vowels(text):",
        'Count the vowels.\n>>> vowels("banana")\n3\n>>> vowels("xyz")\n0\n>>> vowels("eio")\n3',
        {"'education'": 5, "''": 0},
    ),
    Asked(
        "def differences(xs):",
        "Differences of consecutive elements.\n>>> differences([1, 4, 9])\n[3, 5]\n>>> differences([2, 2, 0])\n[0, -2]",
        {"[10, 1]": [-9]},
    ),
    Asked(
        "def running_total(xs):",
        "Running totals.\n>>> running_total([1, 2, 3])\n[1, 3, 6]",
        {"[5, 0, 5]": [5, 5, 10]},
    ),
    Asked(
        "def is_sorted(xs):",
        "Whether the items are in ascending order.\n>>> is_sorted([1, 2, 3])\nTrue\n>>> is_sorted([3, 1])\nFalse\n"
        ">>> is_sorted([2, 3, 1])\nFalse\n>>> is_sorted([5, 6])\nTrue",
        {"[1, 1]": True, "[4, 5, 0]": False},
    ),
)


def found_for(asked: Asked, **options: Any) -> tuple[Found, ...]:
    return search(task_of(asked), **options)


def task_of(asked: Asked) -> Task:
    name, parameters = read_header(asked.header) or pytest.fail(asked.header)
    return Task(parameters.names, examples_of(asked.description, asked.header), asked.description, name)


def function_of(asked: Asked, found: Found) -> Any:
    task = task_of(asked)
    lines = body_of(found.expression, task.parameters).split("\n")
    names: dict[str, Any] = dict(MODULES)
    exec("\n".join([asked.header, *(f"    {line}" for line in lines)]), names)
    return names[task.name]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.header)
def test_what_comes_first_is_right_beyond_the_examples(asked: Asked) -> None:
    first = found_for(asked)[0]
    function = function_of(asked, first)
    for arguments, result in asked.hidden.items():
        given = eval(f"({arguments},)")
        assert function(*given) == result
        assert evaluate(first.expression, dict(zip(task_of(asked).parameters, given, strict=True))) == result


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.header)
def test_all_that_is_found_does_what_the_examples_show(asked: Asked) -> None:
    found = found_for(asked)
    bodies = {body_of(each.expression, task_of(asked).parameters) for each in found}
    assert len(bodies) == len(found)
    for each in found:
        function = function_of(asked, each)
        for example in task_of(asked).examples:
            value = function(*example.arguments)
            assert value == pytest.approx(example.result) if isinstance(value, float) else value == example.result
            assert type(value) is type(example.result)


def test_the_same_is_found_every_time_and_less_with_less_effort() -> None:
    asked = ASKED[7]
    texts = [[body_of(each.expression, ("card",)) for each in found_for(asked)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert found_for(asked, effort=2_000) == ()


def test_who_no_longer_waits_stops_the_search() -> None:
    asked, calls = attrs.evolve(ASKED[7], description='mask("1") == "qwertyuiopasdfghjkl"'), []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 3

    assert found_for(asked, cancelled=cancelled) == ()
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("header", "description"),
    [
        ("def f(x):", "No example."),
        ("def f(x):", ">>> f(1)\n>>> f(2)\n"),
        ("def f(x):", "f(1) == 'qwfpgjluyarstdhneiozxcvbkm'"),
        ("def f(x, y):", "f(1, 2) == 'a'\nf(1, 3) == {}\nf(9, 9) == [[[]]]\nf(0, 0) == 4.25"),
        ("def f(x):", "f(1) == 7"),
    ],
)
def test_nothing_where_nothing_short_could_be_meant(header: str, description: str) -> None:
    found = found_for(Asked(header, description, {}))
    assert all(each.confidence < 0.5 for each in found)
    assert all(each.expression.free for each in found), "a constant is no answer"


@pytest.mark.parametrize(
    ("header", "description"),
    [
        ("def f(n):", "f(999999999999999999999) == 999999999999999999999 ** 2"),
        ("def f(n):", "The power.\nf(10 ** 3) == 1\nf(500) == 2\nf(99999) == 3"),
        ("def f(text, n):", "Repeat.\nf('ab', 100000000) == 'x'\nf('b', 1000000000000) == ''"),
        ("def f(a):", f"f({[list(range(40))] * 12}) == {list(range(480))}"),
        ("def f(a):", "f([[[[[[1]]]]]]) == 1\nf([[[[[[2]]]]]]) == 2"),
        ("def f(a):", "f({(1, 2): {3}}) == {3}\nf({}) == set()"),
        ("def f(a):", "f(1e308) == 1e-308\nf(-1e308) == 5.0"),
        ("def f(a):", "f(float('nan')) == 1\nf(b'ab') == b'ba'\nf(1j) == 1.0"),
        ("def f(a):", f"At -05 or 007 degrees, {'9' * 3_000} or {'9' * 900}.5.\nf(1) == 2\nf(2) == 3"),
    ],
)
def test_hostile_examples_end(header: str, description: str) -> None:
    for each in found_for(Asked(header, description, {})):
        assert 0 <= each.confidence <= 1


def any_value(random: Random, depth: int = 0) -> Any:
    """A literal of any kind, likely or not."""
    letters = "ab ,.-\n\x00\u00e9\U0001d518\"'\\"
    makers: list[Callable[[], Any]] = [
        lambda: random.randint(-(10 ** random.randrange(1, 20)), 10 ** random.randrange(1, 20)),
        lambda: random.uniform(-1e3, 1e3),
        lambda: "".join(random.choice(letters) for _ in range(random.randrange(8))),
        lambda: random.random() < 0.5,
        lambda: None,
        lambda: random.choice([float("inf"), float("nan"), -0.0, 1e308, b"x", 1j, ...]),
        lambda: [any_value(random, depth + 1) for _ in range(random.randrange(5))],
        lambda: tuple(any_value(random, depth + 1) for _ in range(random.randrange(4))),
        lambda: {random.randint(0, 9) for _ in range(3)},
        lambda: {random.choice("abc"): any_value(random, depth + 1) for _ in range(3)},
        lambda: [random.randint(0, 9)] * random.choice([2, 100, 1000]),
    ]
    return random.choice(makers if depth < 2 else makers[:6])()


@pytest.mark.parametrize("seed", range(40))
def test_any_examples_end_and_what_is_found_can_be_written(seed: int) -> None:
    random = Random(seed)
    parameters = ("a", "b", "c")[: random.randrange(1, 4)]
    examples = tuple(
        Example(tuple(any_value(random) for _ in parameters), any_value(random)) for _ in range(random.randrange(1, 5))
    )
    words = "the longest sum of vowels, rounded, sorted prime digits, combinations, permutations and products"
    for each in search(Task(parameters, examples, random.choice(["", words]), "f"), effort=20_000):
        compile("def f():\n    " + body_of(each.expression, parameters).replace("\n", "\n    "), "<body>", "exec")


def test_a_parameter_that_hides_a_built_in_is_not_called() -> None:
    asked = Asked("def f(sum, len):", "Add.\nf(1, [2]) == 3\nf(4, [5]) == 9\nf(0, [7]) == 7", {})
    for each in found_for(asked):
        body = body_of(each.expression, ("sum", "len"))
        assert "sum(" not in body
        assert "len(" not in body


def test_more_examples_make_surer() -> None:
    one = Asked("def f(xs):", "f([3, 1, 2]) == 3", {})
    three = Asked("def f(xs):", "f([3, 1, 2]) == 3\nf([5, 9]) == 9\nf([4, 4, 6, 1]) == 6", {})
    assert found_for(three)[0].confidence > found_for(one)[0].confidence
    assert function_of(three, found_for(three)[0])([7, 8, 2]) == 8

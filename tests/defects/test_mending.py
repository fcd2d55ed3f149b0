"""What a function does not give although its examples show it, and what mends that."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from codehunch.defects.mending import Disagreement, described, disagreement
from codehunch.defects.rewrites import apply
from codehunch.interpreter.program import Program
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.synthesis.examples import assertions_of


def judge(text: str, name: str = "") -> Disagreement | None:
    """What is told of the only function with examples, or of the one named."""
    statements = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    asserted = assertions_of(text)
    functions = [found for each in statements if (found := described(each, asserted)) is not None]
    chosen = [each for each in functions if name in ("", each.node.name)]
    return disagreement(Program(statements), chosen[0]) if chosen else None


def function(head: str, examples: dict[str, str], body: str) -> str:
    shown = "".join(f"    >>> {call}\n    {result}\n" for call, result in examples.items())
    return f'{head}\n    """What it does.\n\n{shown}    """\n{body}'


SLIPS = [
    ("def add(a, b):", {"add(2, 3)": "5"}, "    return a - b\n", "    return a + b\n"),
    ("def top(a):", {"top([1, 5, 2])": "5"}, "    return min(a)\n", "    return max(a)\n"),
    ("def last(a):", {"last([1, 5, 2])": "2", "last('ab')": "'b'"}, "    return a[1]\n", "    return a[-1]\n"),
    ("def low(a, n):", {"low([1, 2, 3], 2)": "[1, 2]"}, "    return [x for x in a if x < n]\n",
     "    return [x for x in a if x <= n]\n"),
    ("def clamp(n, low, high):", {"clamp(5, 0, 3)": "3", "clamp(-1, 0, 3)": "0", "clamp(2, 0, 3)": "2"},
     "    return max(high, min(n, low))\n", "    return max(low, min(n, high))\n"),
    ("def mean(a):",
     {'mean([1, 2, 3])': '2.0'},
     "    total = 0\n    for n in a:\n        total += n\n    return total / (len(a) - 1)\n",
     "    total = 0\n    for n in a:\n        total += n\n    return total / (len(a))\n"),
    ("def count(a):", {"count('abca')": "{'a': 2, 'b': 1, 'c': 1}"}, "    found = {}\n    for x in a:\n"
     "        found[x] = found.get(x, 1) + 1\n    return found\n", "    found = {}\n    for x in a:\n"
     "        found[x] = found.get(x, 0) + 1\n    return found\n"),
    ("def is_even(n):",
     {'is_even(4)': 'True', 'is_even(3)': 'False'},
     "    return n % 2 != 0\n",
     "    return n % 2 == 0\n"),
    ("def both(a, b):", {"both([1, 2], [2, 3])": "[2]"}, "    return [x for x in a if x not in b]\n",
     "    return [x for x in a if x in b]\n"),
    ("def words(s):",
     {"words('A b')": "['a', 'b']"},
     "    return s.upper().split()\n",
     "    return s.lower().split()\n"),
    ("def distance(a, b):",
     {'distance(3, 5)': '2', 'distance(5, 3)': '2'},
     "    return a - b\n",
     "    return abs(a - b)\n"),
    ("def total(a):",
     {'total([1, 2, 3])': '6'},
     "    found = 0\n    for n in a:\n        found += n\n        return found\n",
     "    found = 0\n    for n in a:\n        found += n\n    return found\n"),
    ("def join(a):", {"join(['a', 'b'])": "'a, b'"}, "    return ','.join(a)\n", "    return ', '.join(a)\n"),
    ("def under(a, n):",
     {'under([3, 5], 4)': 'True', 'under([5, 6], 4)': 'False'},
     "    for x in a:\n        if not x < n:\n            return True\n    return False\n",
     "    for x in a:\n        if x < n:\n            return True\n    return False\n"),
    ("def back(a):", {"back([1, 2])": "[2, 1]"}, "    a[::-1]\n", "    return a[::-1]\n"),
    ("def power(base, times):", {"power(2, 3)": "8"}, "    return times ** base\n", "    return base ** times\n"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "examples", "faulty", "right"), SLIPS)
def test_a_slip_is_told_and_mended(head: str, examples: dict[str, str], faulty: str, right: str) -> None:
    found = judge(function(head, examples, faulty))
    assert found is not None
    texts = [apply(found.described.text, each.edits) for each in found.mended]
    assert function(head, examples, right) in texts[:2]
    assert judge(function(head, examples, right)) is None
    assert all(judge(each) is None for each in texts)


@pytest.mark.parametrize(
    "text",
    [
        function("def f(n):", {"f(2)": "4"}, "    return open(n)\n"),
        function("def f(n):", {"f(2)": "4"}, "    return unknown(n)\n"),
        function("def f(n):", {"f(2)": "4"}, "    ...\n"),
        function("def f(n):", {"f(2)": "4"}, "    raise NotImplementedError\n"),
        function("def f(n):", {"f(2)": "4"}, "    total = n\n"),
        function("def f(a):", {"f([])": "[]"}, ""),
        function("def f(a):", {"f([])": "[]"}, "    pass\n"),
        function("def f(a):", {"f([])": "[]"}, "    total = 0\n"),
        function("def f(a):", {"f([])": "[]"}, "    for x in a:\n        x.strip()\n"),
        function("def f(n):", {"f(2)": "4"}, "    while True:\n        n = 1\n    return n\n"),
        function("def f(n):", {"f(2)": "<object f>"}, "    return n\n"),
        function("def f(n):", {"f(2)": "[1, ..., 4]"}, "    return n\n"),
        function("def f(n):", {"f(n)": "4"}, "    return n\n"),
        function("def f(n):", {"f(2)": "4"}, "    return lambda: n\n"),
        function("def f(n):", {"f(2)": "4"}, "    yield n\n"),
        function("def f(n):", {"f(2)": "0.67"}, "    return 2 / 3\n"),
        function("def f(n):", {"f(2)": "[1, 4]"}, "    return 1, 4.0\n"),
        function("def f(a):", {"f('ab')": "['b', 'a']"}, "    return list(set(a))\n"),
        function("@cached\ndef f(n):", {"f(2)": "4"}, "    return n\n"),
        function("async def f(n):", {"f(2)": "4"}, "    return n\n"),
        "class C:\n    def f(n):\n        '''f(2) == 4'''\n        return n\n",
        "def f(n):\n    '''f(2) == 4'''\n    return n +\n",
        "def f(n):\n    '''[1, 2] -> 4'''\n    return n.real\n",
        "def f(n):\n    '''f(3) == 3 - 1 + 4'''\n    return n * 2\n",
        "def f(n):\n    '''f(2) == 4'''\n    return n\ndef f(n):\n    return 4\n",
        "def f(n):\n    return n\nassert f(2) == f(1) * 2\n",
        "",
    ],
)
def test_what_cannot_be_told_is_not(text: str) -> None:
    assert judge(text) is None


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("def f(n):\n    '''f(2) == 4'''\n    return n\n", "2"),
        ("def f(n):\n    '''f(2) -> 4'''\n    return n\n", "2"),
        ("def f(n):\n    return n\nassert f(2) == 4\n", "2"),
        ("def f(n):\n    return n\ndef test_f():\n    assert f(2) == 4\n", "2"),
        ("def f(n):\n    '''\n    >>> f(2)\n    4\n    '''\n    return n[0]\n", "TypeError"),
        ("K = 1\ndef g(n):\n    return n + K\ndef f(n):\n    '''f(2) == 4'''\n    return g(n)\n", "3"),
        ("def f(n):\n    '''f(2) == 1.5'''\n    return 10**400\n", repr(10**400)),
        ("def f(n):\n    '''f(2) == True'''\n    return 1 and n > 1 and 1\n", "1"),
        ("def f(n):\n    '''\n    >>> f(2)\n    [1, 2]\n    '''\n    if n:\n        return []\n", "[]"),
    ],
)
def test_what_is_wrong_is_told(text: str, given: str) -> None:
    found = judge(text)
    assert found is not None
    outcome = found.broken[0].outcome
    assert (outcome.error or repr(outcome.value)) == given


def test_what_fits_follows_every_example() -> None:
    text = function("def f(a, b):", {"f(2, 2)": "4", "f(3, 3)": "9", "f(0, 5)": "0"}, "    return a + b\n")
    found = judge(text)
    assert found is not None
    assert len(found.broken) == 2
    assert [each.label for each in found.mended] == ["*"]


def test_all_that_is_tried_parses_or_is_passed_over_and_the_text_stays() -> None:
    """Every fix of a long function is one of its text, whatever letters and line ends that has."""
    lines = "".join(f"    x{n} = 'ä🙂' * {n}\n" for n in range(60))
    text = function("def f(n):", {"f(2)": "4"}, f"{lines}    größe = n - 2\n    return größe\n")
    found = judge(text)
    assert found is not None
    assert apply(text, found.mended[0].edits) == text.replace("n - 2", "n + 2")


def _first(found: Disagreement | None) -> Sequence[str]:
    assert found is not None
    return [each.label for each in found.mended]


def test_the_same_is_found_every_time_and_cancelling_ends_it() -> None:
    text = function("def f(a):", {"f([1, 2])": "[2, 1]"}, "    return sorted(a)\n")
    assert _first(judge(text)) == _first(judge(text)) != []
    statements = [text]
    one = described(text, {})
    assert one is not None
    assert disagreement(Program(statements), one, lambda: True) is None

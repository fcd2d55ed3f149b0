"""Programs are written as people write them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from codehunch.synthesis.bodies import body_of
from codehunch.synthesis.examples import examples_of, read_header
from codehunch.synthesis.search import Task, search


def bodies(header: str, description: str, quote: str = "'") -> list[str]:
    name, parameters = read_header(header) or pytest.fail(header)
    task = Task(parameters.names, examples_of(description, header), description, name)
    return [body_of(each.expression, parameters.names, quote) for each in search(task)]


@pytest.mark.parametrize(
    ("header", "description", "body"),
    [
        (
            "def f(words):",
            "The first letters as one string.\nf(['ab', 'cd']) == 'ac'\nf(['x', 'yes', 'zoo']) == 'xyz'",
            "return ''.join(word[0] for word in words)",
        ),
        (
            "def f(word, words):",
            "Words that begin with it.\nf('a', ['ab', 'b', 'ac']) == ['ab', 'ac']\nf('x', ['yx', 'xy']) == ['xy']",
            "return [word_2 for word_2 in words if word_2.startswith(word)]",
        ),
        (
            "def f(words):",
            "The longest word.\nf(['a', 'bbb', 'cc']) == 'bbb'\nf(['dd', 'e']) == 'dd'\nf(['q', 'zz']) == 'zz'",
            "return max(words, key=len)",
        ),
        (
            "def f(items, other):",
            "Items that are missing in the other list.\nf([1, 2, 3], [2]) == [1, 3]\nf([4, 5], [6]) == [4, 5]",
            "return [item for item in items if item not in other]",
        ),
        (
            "def f(text):",
            "Without duplicate characters, sorted.\nf('banana') == 'abn'\nf('zza') == 'az'",
            "return ''.join(sorted(set(text)))",
        ),
    ],
)
def test_as_people_write_it(header: str, description: str, body: str) -> None:
    assert body in bodies(header, description)


@pytest.mark.parametrize("name", ["imports", "returns", "lists"])
def test_no_variable_is_a_keyword_or_hides_a_built_in(name: str) -> None:
    description = "The length of each.\nf(['ab', 'c']) == [2, 1]\nf(['xyz']) == [3]"
    assert bodies(f"def f({name}):", description)[0] == f"return [len(item) for item in {name}]"


@pytest.mark.parametrize("name", ["each", "start", "end", "digit", "key", "value", "part", "item", "row", "group"])
def test_parameters_with_the_names_of_inner_variables(name: str) -> None:
    description = "Prefixes, or chunks.\nf([1, 2, 3]) == [[1], [1, 2], [1, 2, 3]]\nf([4, 5]) == [[4], [4, 5]]"
    for body in bodies(f"def f({name}):", description):
        names: dict[str, Any] = {"itertools": itertools, "math": math}
        exec(f"def f({name}):\n    " + body.replace("\n", "\n    "), names)
        assert names["f"]([4, 5]) == [[4], [4, 5]]


def test_branches_are_statements() -> None:
    description = "The largest item, None where there is none.\nf([]) == None\nf([2, 1]) == 2\nf([0, 5]) == 5"
    assert bodies("def f(items):", description)[0] == "if not items:\n    return None\nreturn max(items)"


def test_quotes_are_those_of_the_file() -> None:
    description = "Joined by a comma.\nf(['a', 'b']) == 'a,b'\nf(['c', 'd', 'e']) == 'c,d,e'"
    assert bodies("def f(parts):", description)[0] == "return ','.join(parts)"
    assert bodies("def f(parts):", description, '"')[0] == 'return ",".join(parts)'


def test_no_string_loses_its_meaning_with_its_quotes() -> None:
    description = "In double quotes '\"'.\nf('a') == '\"a\"'\nf('bc') == '\"bc\"'"
    for body in bodies("def f(text):", description, '"')[:3]:
        names: dict[str, object] = {}
        exec(f"def f(text):\n    {body}", names)
        assert names["f"]("d") == '"d"'  # type: ignore[operator]

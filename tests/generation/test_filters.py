"""Golden cases of each filter."""

from __future__ import annotations

import pytest

from codehunch.generation.context import FileContext
from codehunch.generation.filters import (
    body_compiles,
    clean_body,
    compiles,
    cut_to_whole,
    following_lines,
    free_names,
    names_of,
    parses_in_place,
    strip_control,
    undefined_names,
    with_imports,
    without_repetition,
)
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request


def request_in(text: str, mark: str = "pass") -> BodyRequest:
    request = find_request(parse(text), text.index(mark))
    assert request is not None
    return request


FUNCTION = "import json\n\n\ndef f(rows):\n    '''Sum all the rows.'''\n    pass\n"
ASYNC = "async def f(rows):\n    '''Sum all the rows.'''\n    pass\n"
COMMENT = "def f(rows):\n    for row in rows:\n        # leave when the row is empty\n        \n    return 1\n"
MODULE = "rows = []\n# print every row of the list\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return 1</s>", "return 1"),
        ("<pad><extra_0>return 1<extra_31>", "return 1"),
        ("a\x00b\x1b[0m", "ab[0m"),
        ("x = '<div>'", "x = '<div>'"),
        ("bad \ufffd", "bad "),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_control_tokens_never_leak(text: str, expected: str) -> None:
    assert strip_control(text) == expected


def test_clean_body_has_no_blank_edges() -> None:
    assert clean_body("\n\n    if a:\n        b\n\n</s>") == "if a:\n    b"


@pytest.mark.parametrize(
    ("text", "mark", "body", "expected"),
    [
        (FUNCTION, "pass", "return sum(rows)", True),
        (FUNCTION, "pass", "return sum(rows", False),
        (FUNCTION, "pass", "    return 1\nreturn 2", False),
        (FUNCTION, "pass", "await rows", False),
        (FUNCTION, "pass", "break", False),
        (ASYNC, "pass", "await rows", True),
        (COMMENT, "        \n", "if not row:\n    break", True),
        (MODULE, "\n\n", "return rows", False),
        (MODULE, "\n\n", "for row in rows:\n    print(row)", True),
    ],
)
def test_what_compiles_where(text: str, mark: str, body: str, expected: bool) -> None:
    assert body_compiles(body, request_in(text, mark)) is expected


@pytest.mark.parametrize("text", ["x = 1\n", "def f():\n    return '\\d'\n"])
def test_compiling_warns_nobody(text: str) -> None:
    assert compiles(text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "total = 0\nfor row in rows:\n    total += row\n    print(tot",
            "total = 0\nfor row in rows:\n    total += row",
        ),
        ("if rows:", ""),
        ("a = 1", "a = 1"),
        ("call(", ""),
    ],
)
def test_unfinished_bodies_are_cut(body: str, expected: str) -> None:
    assert cut_to_whole(body, request_in(FUNCTION)) == expected


@pytest.mark.parametrize(
    ("body", "following", "expected"),
    [
        ("found = []\nreturn found", ["return found"], "found = []"),
        ("found = []\nreturn found\nprint(found)", ["return found", "x"], "found = []"),
        ("a = 1\nreturn", ["return"], "a = 1"),
        ("if a:\n    return\nb = 1", ["return", "c"], "if a:\n    return\nb = 1"),
        ("a = 1", [], "a = 1"),
        ("a = 1", ["", "a = 1"], ""),
        ("if a:\n    return b", ["return b"], "if a:\n    return b"),
    ],
)
def test_what_follows_is_not_repeated(body: str, following: list[str], expected: str) -> None:
    assert without_repetition(body, following) == expected


def test_following_lines_end_with_the_block() -> None:
    text = "def f(a):\n\tif a:\n\t\t# show the value of a\n\t\t\n\t\tprint(a)\n\t\tif a:\n\t\t\tb\n\treturn 1\n"
    request = request_in(text, "\t\t\n")
    assert following_lines(text, request) == ["print(a)", "if a:", "    b"]


@pytest.mark.parametrize(
    ("source", "mark", "text", "expected"),
    [
        (FUNCTION, "pass", "    return 1", True),
        (FUNCTION, "pass", "    return (", False),
        (FUNCTION, "pass", "return 1", False),
        (FUNCTION, "pass", "    break", False),
        ("def broken(:\n    x\n\n" + FUNCTION, "pass", "    return 1", True),
        ("def broken(:\n    x\n\n" + FUNCTION, "pass", "    return )(", False),
    ],
)
def test_parsing_in_place(source: str, mark: str, text: str, expected: bool) -> None:
    parsed = parse(source)
    assert parses_in_place(parsed, request_in(source, mark), text) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return sum(rows)", set()),
        ("return json.dumps(rows)", set()),
        ("return missing(rows)", {"missing"}),
        ("total = 0\nfor row in rows:\n    total += row\nreturn total", set()),
        ("return [x.name for x in rows if x]", set()),
        ("with open('a') as handle:\n    return handle.read(count)", {"count"}),
        ("try:\n    pass\nexcept ValueError as error:\n    raise error", set()),
        ("return f(rows, key=lambda a, *b, **c: a + b + c)", set()),
        ("import os.path as p, re\nreturn p, re, os", {"os"}),
        ("def inner(a):\n    return a\nreturn inner(self)", {"self"}),
        ("return (walrus := 1) + walrus", set()),
        ("match rows:\n    case [first, *rest] | {'a': first, **rest}:\n        return first, rest", set()),
    ],
)
def test_undefined_names(body: str, expected: set[str]) -> None:
    context = FileContext(parse(FUNCTION))
    assert undefined_names(body, context, request_in(FUNCTION)) == expected


def test_nothing_is_known_after_a_star_import() -> None:
    text = "from os import *\n" + FUNCTION
    assert undefined_names("missing()", FileContext(parse(text)), request_in(text)) == frozenset()


def test_names_are_not_attributes_or_keywords() -> None:
    assert names_of("a.b(c=d)\nimport e.f as g\n'h'\n") >= {"a", "d", "g"}
    assert not names_of("a.b(c=d)\n'h'\n") & {"b", "c", "h"}


def test_free_names_of_what_cannot_be_read() -> None:
    assert free_names("return (") == frozenset()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (set(), "return 1"),
        ({"re"}, "import re\n\nreturn 1"),
        ({"os", "json"}, "import json\nimport os\n\nreturn 1"),
        ({"re", "np"}, None),
    ],
)
def test_missing_standard_modules_are_imported(missing: set[str], expected: str | None) -> None:
    assert with_imports("return 1", frozenset(missing)) == expected

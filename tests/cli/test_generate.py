"""``codehunch generate``: what is asked for, what is printed, how it ends."""

from __future__ import annotations

import ast
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from codehunch.cli.console import CommandError
from codehunch.cli.generate import _code, _request_at
from codehunch.generation.generator import Candidate
from codehunch.syntax.parsing import parse

from .conftest import Cli

FILE = '''\
import math


def area(radius):
    """Return the area of a circle."""


class Stack:
    """A stack."""

    def __init__(self):
        self.items = []

    def push(self, item):
        """Put an item on top of the stack."""
        ...

    def __len__(self):
        return len(self.items)


def main():
    print(area(1))
'''
ROW = {line.strip(): number for number, line in enumerate(FILE.splitlines(), start=1)}


@pytest.mark.parametrize(
    ("line", "function"),
    [
        ("def area(radius):", "area"),
        ('"""Return the area of a circle."""', "area"),
        ("def push(self, item):", "Stack.push"),
        ('"""Put an item on top of the stack."""', "Stack.push"),
        ("...", "Stack.push"),
    ],
)
def test_any_line_of_the_function_will_do(line: str, function: str) -> None:
    request = _request_at(parse(FILE), ROW[line], "a.py")
    assert request.function is not None
    assert request.function.qualified_name == function


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (ROW["import math"], "line 1 belongs to no documented function that still lacks its body"),
        (ROW["self.items = []"], "waiting in this file: area (line 4), Stack.push (line 14)"),
        (ROW["print(area(1))"], "area (line 4)"),
        (1000, "there is no line 1000, the file ends at line 24"),
    ],
)
def test_lines_that_ask_for_nothing(row: int, words: str, project: Path) -> None:
    with pytest.raises(CommandError, match=r"^a\.py: ") as failure:
        _request_at(parse(FILE), row, str(project / "a.py"))
    assert words in str(failure.value)


def test_a_file_without_anything_to_write() -> None:
    with pytest.raises(CommandError, match="write a function with a docstring and no body"):
        _request_at(parse("x = 1\n"), 1, "a.py")


def candidate(line: str, body: str) -> str:
    """What is printed when ``body`` is written for the request at ``line``."""
    parsed = parse(FILE)
    request = _request_at(parsed, ROW[line], "a.py")
    return _code(parsed, request, Candidate(request.render(body), 0.5, request.replace), False)


def test_the_completed_function_is_printed_at_the_margin() -> None:
    assert candidate("def area(radius):", "return math.pi * radius**2\n") == (
        'def area(radius):\n    """Return the area of a circle."""\n    return math.pi * radius**2\n'
    )
    assert candidate("...", "self.items.append(item)\n") == (
        'def push(self, item):\n    """Put an item on top of the stack."""\n    self.items.append(item)\n'
    )


def test_only_the_body_is_printed_as_it_has_to_be_inserted() -> None:
    parsed = parse(FILE)
    request = _request_at(parsed, ROW["..."], "a.py")
    made = Candidate(request.render("self.items.append(item)\n"), 0.5, request.replace)
    assert _code(parsed, request, made, True) == "        self.items.append(item)\n"


def test_comments_are_answered_with_their_lines() -> None:
    text = "def f(items):\n    # the largest item\n    \n    return largest\n"
    parsed = parse(text)
    request = _request_at(parsed, 2, "a.py")
    assert request.kind == "comment"
    made = Candidate(request.render("largest = max(items)\n"), 0.5, request.replace)
    assert _code(parsed, request, made, False).strip() == "largest = max(items)"


def test_decorators_and_line_ends() -> None:
    text = '@cache\r\ndef f(x):\r\n    """Double x."""\r\n'
    parsed = parse(text)
    request = _request_at(parsed, 2, "a.py")
    made = Candidate(request.render("return 2 * x\n"), 0.5, request.replace)
    assert _code(parsed, request, made, False) == '@cache\ndef f(x):\n    """Double x."""\n    return 2 * x\n'


def test_from_a_file(cli: Cli, project: Path) -> None:
    (project / "a.py").write_text(FILE)
    result = cli("generate", "a.py", "--line", str(ROW["def push(self, item):"]))
    assert (result.code, result.err) == (0, "")
    (function,) = ast.parse(result.out).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "push"
    assert ast.get_docstring(function) == "Put an item on top of the stack."
    assert len(function.body) > 1
    assert not isinstance(function.body[1], ast.Pass)
    # The file itself is left alone.
    assert (project / "a.py").read_text() == FILE
    body = cli("generate", "a.py", "--line", str(ROW["def push(self, item):"]), "--body-only").out
    assert textwrap.indent(result.out, "    ").endswith(body)
    assert "def push" not in body


def test_a_body_that_fits_the_examples_says_so(cli: Cli, project: Path) -> None:
    text = 'def twice(text):\n    """The text twice.\n\n    twice("ab") == "abab"\n    twice("c") == "cc"\n    """\n'
    (project / "a.py").write_text(text)
    result = cli("generate", "a.py", "--line", "1")
    assert result.code == 0
    assert result.err.strip() == "fits the 2 examples"
    names: dict[str, Any] = {}
    exec(result.out, names)
    assert names["twice"]("xyz") == "xyzxyz"
    (row,) = json.loads(cli("generate", "a.py", "--line", "1", "--json").out)
    assert row["examples"] == 2


def test_several_candidates(cli: Cli, project: Path) -> None:
    (project / "a.py").write_text(FILE)
    asked = ("generate", "a.py", "--line", str(ROW["def push(self, item):"]), "--candidates", "3")
    rows = json.loads(cli(*asked, "--json").out)
    assert 1 <= len(rows) <= 3
    assert len({row["code"] for row in rows}) == len(rows)
    assert all(0 < row["confidence"] <= 1 for row in rows)
    printed = cli(*asked).out
    ast.parse(printed)
    titles = [line for line in printed.splitlines() if line.startswith("# suggestion ")]
    assert len(titles) == (len(rows) if len(rows) > 1 else 0)
    assert all(row["code"] in printed for row in rows)


def test_from_a_sentence(cli: Cli, project: Path) -> None:
    result = cli("generate", "--prompt", "Sort a list of integers")
    assert (result.code, result.err) == (0, "")
    functions = [node for node in ast.parse(result.out).body if isinstance(node, ast.FunctionDef)]
    assert [ast.get_docstring(function) for function in functions] == ["Sort a list of integers."]


def test_highlighted_on_a_terminal_plain_when_piped(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in cli("generate", "--prompt", "Sort a list of integers").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = cli("generate", "--prompt", "Sort a list of integers").out
    assert "\x1b[" in shown
    assert "suggestion 1 of 1, confidence 0." in shown


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "error: a.py: No such file or directory\n"),
        (b"\0", "error: a.py: binary file (it holds NUL bytes)\n"),
        (b"x = 1\n", "error: a.py: line 1 belongs to no documented function"),
    ],
)
def test_files_that_cannot_be_completed(cli: Cli, project: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (project / "a.py").write_bytes(content)
    result = cli("generate", "a.py", "--line", "1")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(words)


def test_a_language_the_model_does_not_write(cli: Cli, project: Path) -> None:
    (project / "a.c").write_text("int f(void)\n{\n}\n")
    result = cli("generate", "a.c", "--line", "1")
    assert result.code == 2
    assert "Traceback" not in result.err


def test_nothing_to_offer_exits_with_1(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codehunch.generation.generator.Generator.generate", lambda *rest, **more: ())
    monkeypatch.setattr("codehunch.generation.generator.Generator.generate_prompt", lambda *rest: ())
    (project / "a.py").write_text(FILE)
    for arguments in (["a.py", "--line", "4"], ["--prompt", "Sort a list"]):
        result = cli("generate", *arguments)
        assert (result.code, result.out) == (1, "")
        assert result.err == "the model has no suggestion that it trusts here\n"
    assert cli("generate", "--prompt", "Sort a list", "--json").out == "[]\n"

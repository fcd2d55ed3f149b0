"""Where a text is cut, and that reading the pieces finds what reading all of it finds."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import attrs
import pytest

from codehunch.syntax.functions import Function, find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import cut_at, inner_indent, section_starts
from codehunch.syntax.spans import Span


def pieces(text: str, indent: str = "") -> list[str]:
    return [piece for _, piece in cut_at(text, list(section_starts(text, 0, indent)))]


@pytest.mark.parametrize(
    "expected",
    [
        ["import os\n", "x = 1\n\n# note\n", "def f():\n    pass\n\n", "async def g(): pass\n"],
        ["x = 1\r\n", "def f():\r\n    pass\r\n", "class C: pass"],
        ["# note\r", "def f(): pass\r", "y = 1\r"],
        ["if a:\n    b\nelif c:\n    d\nelse:\n    e\n", "try:\n    a\nexcept B:\n    c\nfinally:\n    d\n"],
        ["x = [\na,\nb(\nc),\n]\n", "y = 1\n"],
        ["x = '''\ndef f(): pass\n'''\n", 'y = """\n\\"""\nclass C\n"""\n', "def g(): pass\n"],
        ["x = 1  # '''\n", "def f(): pass  # (\n", "y = 2\n"],
        ["x = 1 + \\\ny\n", "z = 1\n"],
        ["@d\n@e(\n    1,\n)\n# note\ndef f(): pass\n", "@d\nclass C: pass\n"],
        ["x = (a\n@ b)\n", "y = 1\n"],
        ["x = '\n", "y = 1\n"],
        ["x = 'a \\\nb'\n", "y = 1\n"],
        # What is unclosed ends at the next definition, which keeps its decorators.
        ["x = (\ny = 1\n", "def f(): pass\n"],
        ["x = foo(a, [\n\n", "@d\n@e\nasync def f(): pass\n"],
        ["@d(\n", "class C: pass\n"],
        ["def f(\n", "def g(): pass\n"],
        ["x = )\n", "y = 1\n"],
        ["defer = 1\n", "classes = 2\n"],
        ["\x0cdef f(): pass\n", "\x0cdef g(): pass\n"],
        ["x = '''never closed\ndef f(): pass\n"],
        [""],
    ],
)
def test_where_sections_start(expected: list[str]) -> None:
    assert pieces("".join(expected)) == expected


def test_sections_of_a_class() -> None:
    head, first, second, last = (
        "class C:\n    '''\n    def x\n    '''\n",
        "    a = 1\n",
        "    @d\n    def f(): pass\n",
        "    b = 2\n",
    )
    text = head + first + second + last
    assert inner_indent(text) == "    "
    assert pieces(text, "    ") == [head, first, second, last]
    assert inner_indent("class C: pass\n") is None


def functions_by_pieces(text: str) -> list[Function]:
    found = []
    for start, piece in cut_at(text, list(section_starts(text))):
        for function in find_functions(parse(piece)):
            spans = {name: getattr(function, name) for name in ("span", "header", "docstring", "body")}
            moved = {name: Span(each.start + start, each.end + start) for name, each in spans.items() if each}
            found.append(attrs.evolve(function, **moved))
    return found


def test_pieces_of_real_files() -> None:
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::6]
    assert len(paths) > 20
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for start in section_starts(text):
            # From any section on, the same sections follow.
            assert next(section_starts(text, start), None) == next(
                (at for at in section_starts(text) if at > start), None
            )
            break
        assert functions_by_pieces(text) == list(find_functions(parse(text))), path


def test_what_is_broken_hides_nothing_else() -> None:
    path = Path(sysconfig.get_path("stdlib")) / "argparse.py"
    text = path.read_text(encoding="utf-8")
    everything = {function.qualified_name for function in find_functions(parse(text))}
    assert len(everything) > 100
    broken = text.replace("        self._prog = prog\n", "        self._prog = foo(\n", 1)
    assert broken != text
    found = {function.qualified_name: function for function in find_functions(parse(broken))}
    assert set(found) == everything
    assert {name for name, function in found.items() if function.broken} == {"HelpFormatter.__init__"}

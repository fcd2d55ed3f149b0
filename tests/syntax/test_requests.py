"""Every row is a text with the cursor at ``|`` and what is asked for there."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import BodyRequest, body_requests, find_request

DOC = '    """Doc."""\n'


def ask(text: str) -> tuple[str, BodyRequest | None]:
    before, _, after = text.partition("|")
    return before + after, find_request(parse(before + after), len(before))


def applied(text: str, request: BodyRequest, body: str) -> str:
    return text[: request.replace.start] + request.render(body) + text[request.replace.end :]


# (text with the cursor, the text with `return 1` rendered into it)
DOCSTRINGS = [
    # The cursor at the docstring, nothing below.
    ('def f():\n    """Doc."""|', 'def f():\n    """Doc."""\n    return 1'),
    ('def f():\n    """D|oc."""\n', 'def f():\n    """Doc."""\n    return 1\n'),
    ('def |f():\n    """Doc."""\n\n\nx = 1\n', 'def f():\n    """Doc."""\n    return 1\n\n\nx = 1\n'),
    ("@d\n|@e\nasync def f():\n    'Doc.'\n", "@d\n@e\nasync def f():\n    'Doc.'\n    return 1\n"),
    ('def f():\n    """Doc."""  # noqa|\n', 'def f():\n    """Doc."""  # noqa\n    return 1\n'),
    ('def f():\n    """Doc."""|\n    # a remark\n', 'def f():\n    """Doc."""\n    # a remark\n    return 1\n'),
    # The cursor on a blank line below.
    (f"def f():\n{DOC}    |", f"def f():\n{DOC}    return 1"),
    (f"def f():\n{DOC}    |\n", f"def f():\n{DOC}    return 1\n"),
    (f"def f():\n{DOC}|\n\nx = 1\n", f"def f():\n{DOC}    return 1\n\nx = 1\n"),
    (f"def f():\n{DOC}|\nx = 1\n", f"def f():\n{DOC}    return 1\n\nx = 1\n"),
    (f"def f():\n{DOC}\n\n  |  \n", f"def f():\n{DOC}\n\n    return 1\n"),
    (f"def f():\n{DOC}      |\n", f"def f():\n{DOC}    return 1\n"),
    # Placeholders are replaced, from anywhere in the function.
    *(
        (f"def f():\n{DOC}    {stub}\n", f"def f():\n{DOC}    return 1\n")
        for stub in (
            "...|",
            "|pass",
            "raise NotImplementedError|",
            "raise NotImplementedError('later')|",
            "raise NotImplementedError() from None|",
            "pass; ...|",
            "pass|\n    ...\n\n    raise NotImplementedError(\n        1)",
            "...|  # TODO",
            "|...;",
        )
    ),
    (f"def f():\n{DOC}\n    pass\n    |\n", f"def f():\n{DOC}\n    return 1\n    \n"),
    ('def f():\n    """Doc."""; pass|\n', f"def f():\n{DOC}    return 1\n"),
    # One line from header to docstring.
    ('def f(): """Doc."""|\n', f"def f():\n{DOC}    return 1\n"),
    ('class A:\n  def f(self): "D"; ...|\n', 'class A:\n  def f(self):\n    "D"\n    return 1\n'),
    ('def f(): """Doc."""|  # note\nx = 1\n', 'def f():\n    """Doc."""  # note\n    return 1\nx = 1\n'),
    # Methods, nesting, tabs, line ends, form feeds, characters of every width.
    (f"class A:\n    def f(self):\n    {DOC}        |\n", f"class A:\n    def f(self):\n    {DOC}        return 1\n"),
    ('def f():\r\n\t"""Doc."""\r\n\t|\r\n', 'def f():\r\n\t"""Doc."""\r\n\treturn 1\r\n'),
    ("def f():\r\t'''Doc.'''|\rx = 1\r", "def f():\r\t'''Doc.'''\r\treturn 1\rx = 1\r"),
    ('\f\ndef f():\n    """Dóc \U0001f600."""|\n', '\f\ndef f():\n    """Dóc \U0001f600."""\n    return 1\n'),
    (
        f"def outer():\n    x = 1\n    if x:\n        def f():\n        {DOC}            |\n    return x\n",
        f"def outer():\n    x = 1\n    if x:\n        def f():\n        {DOC}            return 1\n\n    return x\n",
    ),
    # The rest of the file does not parse.
    (f"def f():\n{DOC}    |\n\ndef g(:\n    x = )\n", f"def f():\n{DOC}    return 1\n\ndef g(:\n    x = )\n"),
    (
        f"x = foo(\n\ndef f():\n{DOC}    |\n\ndef g(): pass\n",
        f"x = foo(\n\ndef f():\n{DOC}    return 1\n\ndef g(): pass\n",
    ),
    (f"x = foo(\n\ndef f(\n    a\n):\n{DOC}    pa|ss\n", f"x = foo(\n\ndef f(\n    a\n):\n{DOC}    return 1\n"),
    # The explicit cursor asks for abstract methods, too.
    (f"@overload\ndef f():\n{DOC}    ...|\n", f"@overload\ndef f():\n{DOC}    return 1\n"),
]


@pytest.mark.parametrize(("text", "expected"), DOCSTRINGS)
def test_docstring_requests(text: str, expected: str) -> None:
    text, request = ask(text)
    assert request is not None
    assert request.kind == "docstring"
    assert request.function is not None
    assert request.description.startswith("D")
    assert applied(text, request, "return 1") == expected


COMMENTS = [
    ("# sort the list|\n", "# sort the list\nreturn 1\n", "sort the list", None),
    ("# sort the list|", "# sort the list\nreturn 1", "sort the list", None),
    ("# sort the list\n|\nx = 1\n", "# sort the list\nreturn 1\nx = 1\n", "sort the list", None),
    ("## Sort it\n#  in place.\n|\n", "## Sort it\n#  in place.\nreturn 1\n", "Sort it\nin place.", None),
    ("def f(a):\n    # add them\n    |\n", "def f(a):\n    # add them\n    return 1\n", "add them", "f"),
    ("def f(a):\n    # add them|\n", "def f(a):\n    # add them\n    return 1\n", "add them", "f"),
    ("def f():\n    # add\n    |\n    pass\n", "def f():\n    # add\n    return 1\n    pass\n", "add", "f"),
    ("def f():\n    # add\n    pa|ss\n", "def f():\n    # add\n    return 1\n", "add", "f"),
    ("def f():\n    x = 1\n    # add\n    |\n", "def f():\n    x = 1\n    # add\n    return 1\n", "add", "f"),
    (f"def f():\n{DOC}    # add\n|\nx = 1\n", f"def f():\n{DOC}    # add\n    return 1\n\nx = 1\n", "add", "f"),
    (
        "class A:\n    def f(self):\n        if a:\n            # add\n            |\n",
        "class A:\n    def f(self):\n        if a:\n            # add\n            return 1\n",
        "add",
        "A.f",
    ),
    (
        "def f():\n    def g():\n        pass\n    # add\n    |\n",
        "def f():\n    def g():\n        pass\n    # add\n    return 1\n",
        "add",
        "f",
    ),
    ("def f():\n    pass\n# add\n|\n", "def f():\n    pass\n# add\nreturn 1\n", "add", None),
    ("class A:\n    # a method\n    |\n", "class A:\n    # a method\n    return 1\n", "a method", None),
    ("if x:\r\n\t# dó \U0001f600\r\n\t|\r\n", "if x:\r\n\t# dó \U0001f600\r\n\treturn 1\r\n", "dó \U0001f600", None),
    ("#!/usr/bin/python\n# sort\n|\n", "#!/usr/bin/python\n# sort\nreturn 1\n", "sort", None),
    (
        "x = 1\n\n# count by encoding: utf-8\n|\n",
        "x = 1\n\n# count by encoding: utf-8\nreturn 1\n",
        "count by encoding: utf-8",
        None,
    ),
    *(
        (f"# {text}\n|", f"# {text}\nreturn 1", text, None)
        for text in ("not found", "first, second", "Note: all", "x is y")
    ),
    ("# TODO: sort\n|", "# TODO: sort\nreturn 1", "TODO: sort", None),
    ("def f():\n    x = (\n\n# sort\n|\n", "def f():\n    x = (\n\n# sort\nreturn 1\n", "sort", None),
]


@pytest.mark.parametrize(("text", "expected", "description", "function"), COMMENTS)
def test_comment_requests(text: str, expected: str, description: str, function: str | None) -> None:
    text, request = ask(text)
    assert request is not None
    assert (request.kind, request.description) == ("comment", description)
    assert (request.function.qualified_name if request.function is not None else None) == function
    assert applied(text, request, "return 1") == expected


NOTHING = [
    "|",
    "x = 1|\n",
    "def f():\n|\n",
    "def f():\n    pass|\n",
    "def f(): ...|\n",
    # A body exists, even where it does not parse.
    f"def f():\n{DOC}    return 1|\n",
    f"def f():\n{DOC}|\n    return 1\n",
    f"def f():\n{DOC}|    x = (\n",
    f"def f():\n{DOC}|    return +\n",
    f"def f():\n{DOC}    pass\n    x = 1|\n",
    f"def f():\n{DOC}    def g(): pass|\n",
    f"def f():\n{DOC}    raise ValueError|\n",
    f"def f():\n{DOC}    raise|\n",
    f"def f():\n{DOC}    x.NotImplementedError|\n",
    f"def f():\n{DOC}    'second string'|\n",
    'def f():) """Doc."""|\n',
    'def f(): """Doc.""")|\n',
    'def f():\n    """still typing|\n',
    'def f():\n    """"""|\n',
    'def f():\n    b"""Doc."""|\n',
    # Outside the function.
    f"def f():\n{DOC}\n\n|\n",
    f"def f():\n{DOC}\n|x = 1\n",
    f"|\ndef f():\n{DOC}",
    f"def outer():\n    def f():\n    {DOC}    |\n    return 1\n",
    'class A:\n    """Doc."""\n    |\n',
    '"""Doc."""\n|\n',
    # Comments that describe nothing.
    "#!/usr/bin/env python\n|\n",
    "# -*- coding: utf-8 -*-\n|\n",
    "# vim: set fileencoding=utf-8\n|\n",
    "#\n|\n",
    "# ----- helpers -----\n|\n",
    "# ===\n|\n",
    "# TODO\n|\n",
    "# 12\n|\n",
    *(
        f"{line}\n|\n"
        for line in (
            "# noqa",
            "# noqa: E501",
            "# type: ignore",
            "#type: list[int]",
            "# pylint: disable=all",
            "# pragma: no cover",
            "# fmt: off",
            "# codehunch: ignore-file",
            "# SPDX-License-Identifier: MIT",
            "# Copyright (c) someone",
            "#: attribute documentation",
            "# %% cell",
            "#region helpers",
        )
    ),
    # Commented-out code.
    *(
        f"{code}\n|\n"
        for code in (
            "# x = 1",
            "# return total",
            "# foo(bar)",
            "# if x:",
            "# else:",
            "# @decorator",
            "# import os",
            "# for x in y:\n#     print(x)",
            "# def f(x):\n#     return x",
            "# call(",
            "# Example:\n# x = f(1)",
        )
    ),
    # Not directly above, not at the end, not a comment, not a place for statements.
    "# sort the list\n\n|\n",
    "# sort| the list\n\n",
    "# sort the list|\nx = 1\n",
    "x = 1  # sort the list|\n\n",
    "x = '''\n# sort the list\n|\n'''\n",
    "x = [\n    # the first\n    |\n]\n",
    "f(\n    # the first\n    |\n)\n",
    "def f(\n    # the first\n    |\n    a): pass\n",
    "from x import (\n    # the first\n|\n    a)\n",
    "@d\n# sort the list\n|\ndef f(): pass\n",
]


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_is_asked(text: str) -> None:
    assert ask(text)[1] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('def f():\n    """Doc."""|\n', True),
        ('def f():\n    """Doc."""\n    |\n', True),
        ('def f():\n    """Doc."""\n    pa|ss\n', True),
        ('def f():\n    """Doc."""|\n    pass\n', False),
        ('def f|():\n    """Doc."""\n', False),
    ],
)
def test_whether_ghost_text_fits(text: str, expected: bool) -> None:
    request = ask(text)[1]
    assert request is not None
    assert request.at_cursor is expected


def test_descriptions_are_clean() -> None:
    text = 'def f():\r\n    r"""First.\r\n\r\n    Second:\r\n        Indented \\d.\r\n    """|\r\n'
    request = ask(text)[1]
    assert request is not None
    assert request.description == "First.\n\nSecond:\n    Indented \\d."


def test_other_languages_have_no_requests() -> None:
    parsed = parse("// add them\n\nint f(int a) {}\n", "c")
    assert find_request(parsed, 12) is None
    assert body_requests(parsed) == ()


SCAN = '''\
from typing import Protocol, overload
import abc

def one():
    """One."""

@overload
def two(a: int):
    """Two."""

class A(abc.ABC):
    @abc.abstractmethod
    def three(self):
        """Three."""

    @property
    @abstractmethod
    def four(self):
        """Four."""
        raise NotImplementedError

    async def five(self):
        """Five."""
        raise NotImplementedError

class P(typing.Protocol[T], metaclass=M):
    def six(self):
        """Six."""
        ...

class Q(Base[Protocol]):
    def seven(self): """Seven."""

    def eight(self):
        """Eight."""
        return 8

def nine():
    # Nine.
    pass

def ten():
    def eleven():
        """Eleven."""
'''


def test_the_scan_leaves_contracts_out() -> None:
    requests = body_requests(parse(SCAN))
    names = [request.function.qualified_name for request in requests if request.function is not None]
    assert names == ["one", "A.five", "Q.seven", "ten.eleven"]
    filled = SCAN
    for request in reversed(requests):
        filled = applied(filled, request, "return 0")
    assert body_requests(parse(filled)) == ()
    assert filled.count("return 0") == 4
    ast.parse(filled)


BODIES = [
    ("return 1", "    ", "    return 1"),
    ("\n    if a:\n        return 1\n\n    return 2\n\n", "  ", "  if a:\n      return 1\n\n  return 2"),
    ("if a:\n    return 1", "\t", "\tif a:\n\t\treturn 1"),
    ("f(a,\n  b)", "    ", "    f(a,\n      b)"),
    # The rows inside a string are its value.
    ('x = """a\n  b\n"""\ny = f"""\nc"""', "    ", '    x = """a\n  b\n"""\n    y = f"""\nc"""'),
    ('    x = """a\n\n  b"""\n    return x', "  ", '  x = """a\n\n  b"""\n  return x'),
]


@pytest.mark.parametrize(("body", "indent", "expected"), BODIES)
def test_rendering(body: str, indent: str, expected: str) -> None:
    unit = "\t" if indent == "\t" else "    "
    text = f'def f():\n{indent}"""Doc."""\n{indent}|\n'
    request = ask(text)[1]
    assert request is not None
    request = BodyRequest(
        request.kind, None, "", request.replace, request.indent, 0, newline=request.newline, unit=unit
    )
    assert request.render(body) == expected


PIECES = [
    "def f(a):",
    "class A:",
    '"""Doc."""',
    '"""',
    "pass",
    "...",
    "# sort the list",
    "raise NotImplementedError",
    "x = (",
    ")",
    "@d",
    "if x:",
    "\U0001f600",
    "return 1",
    ";",
    "    ",
    "        ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\f",
    "\u2028",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.data())
def test_any_text_at_any_cursor(text: str, data: st.DataObject) -> None:
    parsed = parse(text)
    request = find_request(parsed, data.draw(st.integers(-1, len(text) + 1)))
    for found in (*body_requests(parsed), *([request] if request is not None else [])):
        assert 0 <= found.replace.start <= found.replace.end <= len(text)
        assert found.description.strip()
        assert not found.indent.strip(" \t")
        # Nothing but white space, placeholders, comments and a docstring that `lead` writes again is lost.
        lost = found.replace.of(text)
        if found.function is not None and found.function.docstring is not None:
            docstring = found.function.docstring.of(text)
            assert docstring not in lost or docstring in found.lead
            lost = lost.replace(docstring, "")
        lost = re.sub(r"#[^\r\n]*", "", lost)
        for piece in ("raise NotImplementedError", "pass", "...", ";"):
            lost = lost.replace(piece, "")
        assert not lost.strip()

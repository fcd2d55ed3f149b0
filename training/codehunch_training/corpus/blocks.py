"""Code blocks of Markdown and reStructuredText files, each with the words in front of it."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from codehunch_training.corpus.prose import code_of_doctest

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})\s*\{?\.?(?P<language>[\w+-]*)[^`]*$")
_DIRECTIVE = re.compile(
    r"^(?P<indent>\s*)\.\. (?:code-block|code|sourcecode|testcode|ipython)::\s*(?P<language>\w*)\s*$"
)
_PYTHON = {"python", "py", "python3", "pycon", "ipython", "doctest"}
_RULER = re.compile(r"^([=\-~^\"'`#*+.:_])\1{2,}\s*$")
LONGEST = 40
"""Lines of a block that is still a snippet."""


def python_blocks(text: str, suffix: str) -> Iterator[tuple[str, str, int]]:
    """``(words in front, code, 1-based line)`` of every block that parses as Python."""
    lines = text.replace("\r\n", "\n").split("\n")
    find = _markdown if suffix.lower() in (".md", ".markdown") else _restructured
    for before, code, line in find(lines):
        code = textwrap.dedent(code_of_doctest(textwrap.dedent(code))).strip("\n")
        if code.strip() and code.count("\n") < LONGEST and _parses(code):
            yield before, code + "\n", line


def _parses(code: str) -> bool:
    try:
        return bool(ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _markdown(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    index = 0
    while index < len(lines):
        opening = _FENCE.match(lines[index])
        if opening is None:
            index += 1
            continue
        stop = index + 1
        while stop < len(lines) and not lines[stop].strip().startswith(opening["fence"]):
            stop += 1
        if opening["language"].lower() in _PYTHON:
            yield _words_before(lines, index), "\n".join(lines[index + 1 : stop]), index + 2
        index = stop + 1


def _restructured(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    index = 0
    while index < len(lines):
        directive = _DIRECTIVE.match(lines[index])
        literal = lines[index].rstrip().endswith("::") and not lines[index].lstrip().startswith("..")
        doctest = lines[index].lstrip().startswith(">>> ")
        if not (directive or literal or doctest):
            index += 1
            continue
        margin = len(lines[index]) - len(lines[index].lstrip())
        start = index if doctest else index + 1
        stop = start
        while stop < len(lines) and (
            (lines[stop].strip() and (doctest or _indent(lines[stop]) > margin))
            or (not lines[stop].strip() and not doctest)
        ):
            stop += 1
        body = [line for line in lines[start:stop] if not re.match(r"^\s+:\w[\w-]*:", line)]
        language = directive["language"].lower() if directive else ""
        code = "\n".join(body)
        if language in _PYTHON or (not language and (">>>" in code or directive)) or doctest:
            words = _words_before(lines, index, own=lines[index] if literal else "")
            yield words, code, start + 1
        index = max(stop, index + 1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _words_before(lines: list[str], index: int, own: str = "") -> str:
    """The paragraph in front of a block, or the heading where there is no paragraph."""
    taken = [own.rstrip().removesuffix("::").rstrip() + ":"] if own.strip() != "::" and own else []
    index -= 1
    while index >= 0 and not lines[index].strip() and not taken:
        index -= 1
    while index >= 0 and lines[index].strip() and not _FENCE.match(lines[index]):
        if not _RULER.match(lines[index].strip()):
            taken.append(lines[index].strip())
        index -= 1
    words = " ".join(reversed(taken))
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", words)
    words = re.sub(r":\w+:`~?([^`<]*)(?:<[^>]*>)?`", r"\1", words)
    return " ".join(re.sub(r"[`*]{1,3}|^[#>\-\s]+|<[^>]+>", "", words).split())[:600]

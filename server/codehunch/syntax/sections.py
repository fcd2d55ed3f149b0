"""A Python text in sections: runs of whole lines that each open with a statement at the outermost level.

Strings, comments and brackets tell where a statement starts; everything else is the parser's. A definition opens a
section whatever is unclosed above it, for it cannot stand in brackets. So a mistake in one section moves no border
behind the next definition, and after an edit only the sections around it have to be looked for again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

_STRINGS = "|".join(
    rf"{quote * 3}[^{quote}\\]*(?:(?:\\.|{quote}(?!{quote * 2}))[^{quote}\\]*)*(?:{quote * 3}|\\?\Z)"
    rf"|{quote}[^{quote}\\\r\n]*(?:\\(?:\r\n|.)[^{quote}\\\r\n]*)*{quote}?"
    for quote in "\"'"
)
_NO_CODE = rf"#[^\r\n]*|{_STRINGS}"
_DEFINES = r"class\b|(?:async[ \t]+)?def\b"
_WORD = r"@|async[ \t]+def\b|[^\W\d]\w*"
_GOES_ON = {"else", "elif", "except", "finally"}
"""These open a line but no statement."""
_INNER = re.compile(rf"{_NO_CODE}|\n(?P<head>[ \t]+)(?:{_DEFINES})|\r(?P<other>[ \t]+)(?:{_DEFINES})", re.DOTALL)


@lru_cache(64)
def _tokens(indent: str) -> re.Pattern[str]:
    # Each branch opens with letters of its own: that lets the matcher skip what opens none of them.
    line = rf"\f*{re.escape(indent)}(?P<%s>{_WORD})"
    return re.compile(
        rf"{_NO_CODE}|(?P<open>[(\[{{])|(?P<close>[)\]}}])|\n{line % 'head'}|\r{line % 'other'}", re.DOTALL
    )


@lru_cache(64)
def _opens_decorated(indent: str) -> re.Pattern[str]:
    return re.compile(rf"\f*{re.escape(indent)}@")


def section_starts(text: str, start: int = 0, indent: str = "") -> Iterator[int]:
    """Where sections begin behind ``start``, which is the start of the text or of a section.

    With an ``indent``, statements at exactly that depth open sections.
    """
    depth = 0
    decorated = _opens_decorated(indent).match(text, start) is not None
    for token in _tokens(indent).finditer(text, start):
        kind = token.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind:
            word, line = token[kind], token.start() + 1
            defines = word.endswith(("def", "class")) and word.split()[-1] in ("def", "class")
            if word in _GOES_ON or (depth and not defines) or _is_continued(text, line):
                continue
            if depth:
                line = _with_decorators(text, line, start, indent)
            if depth or not decorated:
                yield line
                start = line
            depth, decorated = 0, word == "@"


def inner_indent(text: str) -> str | None:
    """The least indentation of a definition inside of a section."""
    found = (match[match.lastgroup] for match in _INNER.finditer(text) if match.lastgroup)
    return min(found, key=len, default=None)


def cut_at(text: str, starts: Sequence[int]) -> Iterator[tuple[int, str]]:
    """The pieces of a text with their offsets, the one before the first start included."""
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        yield start, text[start:end]


def _is_continued(text: str, line: int) -> bool:
    """Whether a backslash joins the line to the one above."""
    end = line - 2 if text[line - 2 : line] == "\r\n" else line - 1
    return end > 0 and text[end - 1] == "\\"


def _with_decorators(text: str, line: int, least: int, indent: str) -> int:
    """The first of the decorators right above a definition that follows on something unclosed, behind ``least``."""
    while True:
        end = line - 2 if text[line - 2 : line] == "\r\n" else line - 1
        above = max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1
        if above <= least or not text.startswith(f"{indent}@", above):
            return line
        line = above

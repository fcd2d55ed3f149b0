"""What is read as one text: a document by itself, or the code cells of a notebook in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

_CELL_MAGIC = re.compile(r"\s*%%(?!(?:time|timeit|capture|prun|memit|mprun|lprun)\b)")
"""What makes a cell something else than Python; the others only watch it run."""
_BRINGS_NAMES = re.compile(r"^([ \t]*)(%(?:pylab|store|run[ \t]+[^\s])[^\r\n]*)", re.MULTILINE)
_BRINGS = "exec()"
"""Stands for a magic that brings names which no cell shows, and is no longer than any of them."""
# `% name` and `!= name` may open a continued line of Python; magics and shell commands have no space there.
_LINE_MAGIC = re.compile(r"^([ \t]*)(?:%%?(?=[A-Za-z_])|!(?!=)|\?)", re.MULTILINE)


@attrs.frozen
class Part:
    """A document and where it starts in the program."""

    snapshot: Snapshot
    start: int

    @property
    def span(self) -> Span:
        """The part's place in the program."""
        return Span(self.start, self.start + len(self.snapshot.source.text))


@attrs.frozen(eq=False)
class View:
    """One document seen as a part of its program. Offsets of findings are the program's."""

    program: Snapshot
    parts: tuple[Part, ...]
    own: Part

    def to_program(self, offset: int) -> int:
        """Program offset of an offset of this document."""
        return self.own.start + offset

    def holds(self, span: Span) -> bool:
        """Whether a place of the program lies in this document."""
        return self.own.span.contains(span)

    def locate(self, span: Span) -> tuple[Snapshot, Span] | None:
        """The document that holds a place of the program, and the place there; ``None`` across two documents."""
        for part in self.parts:
            if part.span.contains(span):
                return part.snapshot, Span(span.start - part.start, span.end - part.start)
        return None


def view_of(snapshot: Snapshot) -> View:
    """A document that is a program by itself."""
    part = Part(snapshot, 0)
    return View(snapshot, (part,), part)


def join(uri: str, version: int, language: str, cells: Iterable[Snapshot]) -> tuple[Snapshot, tuple[Part, ...]]:
    """One program of all cells, each on lines of its own. What only IPython understands is blanked out in place."""
    parts: list[Part] = []
    texts: list[str] = []
    length = 0
    for cell in cells:
        parts.append(Part(cell, length))
        text = _masked(cell.source.text) + "\n"
        texts.append(text)
        length += len(text)
    return Snapshot(uri, version, language, SourceText("".join(texts))), tuple(parts)


def _masked(text: str) -> str:
    """The cell with magics and shell lines turned into comments or blanks, character for character."""
    if _CELL_MAGIC.match(text):
        return re.sub(r"[^\r\n]", " ", text)
    text = _BRINGS_NAMES.sub(lambda found: found[1] + _BRINGS.ljust(len(found[2])), text)
    return _LINE_MAGIC.sub(lambda found: found[1] + "#" * (len(found[0]) - len(found[1])), text)

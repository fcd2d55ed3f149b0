"""A text under edits in client coordinates."""

from __future__ import annotations

import re

from lsprotocol import types

from codehunch.lsp.positions import index_of_units
from codehunch.syntax.text import PositionEncoding, SourceText

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


class TextModel:
    """A text as a list of lines that keep their ends. An edit costs the lines it touches, not the text."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE.findall(text)
        self._source: SourceText | None = SourceText(text)

    @property
    def source(self) -> SourceText:
        if self._source is None:
            self._source = SourceText.of_lines(self._lines)
        return self._source

    def replace(self, place: types.Range, text: str, encoding: PositionEncoding) -> None:
        """Replace a range in client coordinates. Places outside of the text mean its nearest end."""
        first, start = self._locate(place.start, encoding)
        last, end = self._locate(place.end, encoding)
        if (last, end) < (first, start):
            first, start, last, end = last, end, first, start
        lines = self._lines
        before = lines[first][:start] if first < len(lines) else ""
        after = lines[last][end:] if last < len(lines) else ""
        stop = last + 1
        # A line end may come together or fall apart at the borders: take in the neighbours it could concern.
        if not after and stop < len(lines):
            after = lines[stop]
            stop += 1
        if first and not before:
            first -= 1
            before = lines[first]
        lines[first:stop] = _LINE.findall(before + text + after)
        self._source = None

    def _locate(self, position: types.Position, encoding: PositionEncoding) -> tuple[int, int]:
        """Row and index in that row; the row after the last one stands for the end of the text."""
        row = position.line
        if row >= len(self._lines):
            # An unterminated last line has no row after it.
            if self._lines and self._lines[-1][-1] not in "\r\n":
                row = len(self._lines) - 1
                return row, len(self._lines[row])
            return len(self._lines), 0
        content = self._lines[row].rstrip("\r\n")
        return row, index_of_units(content, position.character, encoding)

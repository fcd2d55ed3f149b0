"""A source text with its line table: code points in, client coordinates out.

Line ends are ``\\n``, ``\\r\\n`` and ``\\r`` only, as the Language Server Protocol defines them.
``str.splitlines`` also splits at form feeds and U+2028 and would shift every later line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Literal

import attrs

from codehunch.syntax.spans import Span

PositionEncoding = Literal["utf-8", "utf-16", "utf-32"]
_LINE_END = re.compile(r"\r\n|\n|\r")


@attrs.frozen(slots=False)
class SourceText:
    """An immutable text; offsets are code points, rows and columns are 0-based."""

    text: str

    @classmethod
    def of_lines(cls, lines: Sequence[str]) -> SourceText:
        """The text of lines that keep their ends. Cheaper than to look for the ends again."""
        source = cls("".join(lines))
        starts = tuple(accumulate(map(len, lines), initial=0))
        # The last line has an end of its own only where another one follows it.
        ended = not lines or lines[-1].endswith(("\r", "\n"))
        source.__dict__["line_starts"] = starts if ended else starts[:-1]
        return source

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first code point of every line; a text without line ends has one line."""
        return (0, *(match.end() for match in _LINE_END.finditer(self.text)))

    @property
    def line_count(self) -> int:
        return len(self.line_starts)

    def line_span(self, row: int) -> Span:
        """The line's span without its line end; rows past the last line give the empty end of the text."""
        if row >= self.line_count:
            return Span(len(self.text), len(self.text))
        start = self.line_starts[row]
        end = self.line_starts[row + 1] if row + 1 < self.line_count else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return Span(start, end)

    def line(self, row: int) -> str:
        return self.line_span(row).of(self.text)

    def row_of(self, offset: int) -> int:
        return bisect_right(self.line_starts, max(0, offset)) - 1

    def position(self, offset: int, encoding: PositionEncoding = "utf-32") -> tuple[int, int]:
        """``(row, column)`` of an offset, the column in code units of ``encoding``."""
        offset = min(max(0, offset), len(self.text))
        row = self.row_of(offset)
        return row, code_units(self.text[self.line_starts[row] : offset], encoding)

    def offset(self, row: int, column: int, encoding: PositionEncoding = "utf-32") -> int:
        """The offset of a position. Columns past the line's end mean its end (LSP 3.17, Position);
        a column inside a surrogate pair or a UTF-8 sequence means the character's start."""
        if row < 0:
            return 0
        line = self.line_span(row)
        if encoding == "utf-32" or (text := line.of(self.text)).isascii():
            return min(line.start + max(0, column), line.end)
        units = 0
        for index, char in enumerate(text):
            units += code_units(char, encoding)
            if units > column:
                return line.start + index
        return line.end


def code_units(text: str, encoding: PositionEncoding) -> int:
    """Length of ``text`` in the code units of ``encoding``."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text) + sum(char > "\uffff" for char in text)
    return len(text.encode("utf-8", "surrogatepass"))

"""Positions of a client, in its encoding, to code points and back."""

from __future__ import annotations

import re

from lsprotocol import types

from codehunch.syntax.spans import Span
from codehunch.syntax.text import PositionEncoding, SourceText

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_CONTINUATION = bytes(range(0x80, 0xC0))


def index_of_units(text: str, units: int, encoding: PositionEncoding) -> int:
    """The index in ``text`` that lies ``units`` code units from its start, at most its length.

    Inside a character it is the character's start. The work per character is left to C, so that a line of a
    megabyte costs milliseconds.
    """
    units = max(0, units)
    if encoding == "utf-32" or text.isascii():
        return min(units, len(text))
    if encoding == "utf-8":
        data = text.encode("utf-8", "surrogatepass")
        if units >= len(data):
            return len(text)
        while units and data[units] in _CONTINUATION:
            units -= 1
        return len(data[:units].translate(None, _CONTINUATION))
    pairs = 0
    for match in _ASTRAL.finditer(text):
        if match.start() + pairs >= units:
            break
        pairs += 1
        if match.start() + pairs >= units:  # Between the two halves of this one.
            return match.start()
    return min(units - pairs, len(text))


def offset_of(source: SourceText, position: types.Position, encoding: PositionEncoding) -> int:
    """Code point offset of a client's position; places outside of the text mean its nearest end."""
    line = source.line_span(position.line)
    return line.start + index_of_units(line.of(source.text), position.character, encoding)


def position_of(source: SourceText, offset: int, encoding: PositionEncoding) -> types.Position:
    row, column = source.position(offset, encoding)
    return types.Position(line=row, character=column)


def range_of(source: SourceText, span: Span, encoding: PositionEncoding) -> types.Range:
    return types.Range(position_of(source, span.start, encoding), position_of(source, span.end, encoding))


def span_of(source: SourceText, place: types.Range, encoding: PositionEncoding) -> Span:
    """The span of a client's range, the right way round."""
    start, end = offset_of(source, place.start, encoding), offset_of(source, place.end, encoding)
    return Span(min(start, end), max(start, end))

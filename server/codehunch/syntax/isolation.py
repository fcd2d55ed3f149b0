"""A function read alone, for the moments when the text above it does not parse."""

from __future__ import annotations

import re

from codehunch.syntax.bodies import indentation, is_blank, width
from codehunch.syntax.parsing import ParsedSource, parse

_DEF = re.compile(r"[ \t\f]*(?:async[ \t]+)?def[ \t]+\w")
_NOT_LINE_END = re.compile(r"[^\r\n]")


def isolated_function(parsed: ParsedSource, offset: int) -> ParsedSource | None:
    """The file with everything blanked out but the function that ``offset`` lies in, judged by indentation.

    Line ends stay, so every offset means the same place in both. ``None`` where no ``def`` is above.
    """
    source = parsed.source
    row = min(source.row_of(offset), source.line_count - 1)
    cursor_line = source.line(row)
    limit = width(indentation(cursor_line)) if cursor_line.strip() else None
    for first in range(row, -1, -1):
        line = source.line(first)
        if is_blank(line):
            continue
        columns = width(indentation(line))
        if _DEF.match(line) and (limit is None or columns < limit or first == row):
            break
    else:
        return None
    last = first
    for below in range(first + 1, source.line_count):
        line = source.line(below)
        if is_blank(line):
            continue
        # The closing parenthesis of a header may stand as far left as its def.
        if width(indentation(line)) <= columns and not line.lstrip().startswith(")"):
            break
        last = below
    start, end = source.line_span(first).start, source.line_span(last).end
    text = parsed.text
    blanked = _NOT_LINE_END.sub(" ", text[:start]) + text[start:end] + _NOT_LINE_END.sub(" ", text[end:])
    return parse(blanked, parsed.language)

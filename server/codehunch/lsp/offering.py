"""What can be offered at a place, read from the section around it: in a large file that costs no more than elsewhere,
and an editor asks at every step of the cursor.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import attrs

from codehunch.lsp.requests import BodyPlace, Flagged, Silence
from codehunch.lsp.silencing import silence_file, silence_line
from codehunch.syntax.common import common_prefix
from codehunch.syntax.languages import GrammarMissing
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.requests import BodyRequest, find_request
from codehunch.syntax.sections import section_starts
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

_FOLLOWED = "0"
"""Stands for the statement that follows a section: a comment right above code asks for nothing."""


class Sections:
    """Where the sections of the last text start, as far as anybody had to know: the next text differs in one place."""

    def __init__(self) -> None:
        self._text, self._starts = "", [0]

    def around(self, text: str, offset: int) -> Span:
        """The section of a Python text that holds an offset."""
        known = self._starts
        if text != self._text:
            # Where a section starts is decided by it and the one before: both have to lie in what is the same.
            same = common_prefix(self._text, text)
            known = known[: max(1, bisect_right(known, same) - 1)]
        self._text, self._starts = text, known
        at = bisect_right(known, offset)
        if at < len(known):
            return Span(known[at - 1], known[at])
        for following in section_starts(text, known[-1]):
            known.append(following)
            if following > offset:
                return Span(known[-2], following)
        return Span(known[-1], len(text))


def place_at(text: str, language: str, offset: int, sections: Sections) -> BodyPlace | None:
    """The described place without code that an offset belongs to."""
    start, section = _section(text, language, min(max(0, offset), len(text)), sections)
    parsed = parse_known(section, language)
    found = find_request(parsed, offset - start) if parsed is not None else None
    if found is None:
        return None
    place = place_of(found)
    moved = Span(place.replace.start + start, place.replace.end + start)
    return attrs.evolve(place, start=place.start + start, replace=moved)


def silences_of(text: str, language: str, flagged: Sequence[Flagged], sections: Sections) -> tuple[Silence, ...]:
    """How each finding could be silenced."""
    if not flagged:
        return ()
    source = SourceText(text)
    head = parse_known(_head(text, language, source.line_starts[min(2, source.line_count - 1)], sections), language)
    found = []
    for each in flagged:
        start, section = _section(text, language, source.line_span(each.row).start, sections)
        parsed = parse_known(section, language)
        if parsed is None or head is None:
            found.append(Silence(None, None))
            continue
        line = silence_line(parsed, attrs.evolve(each, row=each.row - source.row_of(start)))
        if line is not None:
            moved = Span(line.span.start + start, line.span.end + start)
            line = attrs.evolve(line, span=moved)
        found.append(Silence(line, silence_file(head, each)))
    return tuple(found)


def parse_known(text: str, language: str) -> ParsedSource | None:
    """The text's tree; ``None`` for a language that is not read here."""
    try:
        return parse(text, language)
    except (KeyError, GrammarMissing):
        return None


def place_of(request: BodyRequest) -> BodyPlace:
    """What travels of a request."""
    name = request.function.qualified_name if request.function is not None else ""
    start = request.function.span.start if request.function is not None else request.replace.start
    return BodyPlace(start, request.replace, request.at_cursor, name, request.kind)


def _section(text: str, language: str, offset: int, sections: Sections) -> tuple[int, str]:
    if language != "python":
        return 0, text
    span = sections.around(text, offset)
    return span.start, span.of(text) + _FOLLOWED * (span.end < len(text))


def _head(text: str, language: str, offset: int, sections: Sections) -> str:
    """All up to the end of the section that holds an offset."""
    return text[: sections.around(text, offset).end] if language == "python" else text

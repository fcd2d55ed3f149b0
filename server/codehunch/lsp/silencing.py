"""Edits that silence a finding: a comment at the end of its line, or one at the top of the file.

An edit is offered only if the text after it silences the finding and has no more syntax errors than before: a
comment cannot stand behind a backslash or inside a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codehunch.defects.findings import Edit
from codehunch.lsp.requests import Flagged
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.languages import language_named
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.spans import Span

_FIRST_LINES = re.compile(r"#!|[ \t\f]*#.*?coding[:=]")
_LIST = re.compile(r"codehunch:[ \t]*ignore[ \t]*\[(?P<names>[^\]\r\n]*)\]", re.IGNORECASE)
_MOST_ROWS = 40


def silence_line(parsed: ParsedSource, flagged: Flagged) -> Edit | None:
    """A comment behind the finding's line, or behind the last line of its statement where that is the first fit."""
    for edit in _line_edits(parsed, flagged):
        if _works(parsed, edit, flagged):
            return edit
    return None


def silence_file(parsed: ParsedSource, flagged: Flagged) -> Edit | None:
    """A comment of its own line at the top, below a shebang and an encoding declaration."""
    source, row = parsed.source, 0
    while row < 2 and _FIRST_LINES.match(source.line(row)):
        row += 1
    at = source.line_starts[row] if row < source.line_count else len(source.text)
    lead = "\n" if at and source.text[at - 1] not in "\r\n" else ""
    mark = language_named(parsed.language).comment
    edit = Edit(Span(at, at), f"{lead}{mark} codehunch: ignore-file[{flagged.code}]\n")
    return edit if _works(parsed, edit, flagged) else None


def _line_edits(parsed: ParsedSource, flagged: Flagged) -> Iterator[Edit]:
    source, mark = parsed.source, language_named(parsed.language).comment
    for row in range(flagged.row, min(flagged.row + _MOST_ROWS, source.line_count)):
        line, start = source.line(row), source.line_span(row).start
        known = _LIST.search(line)
        if known is not None:
            at = start + known.end("names")
            yield Edit(Span(at, at), f", {flagged.code}" if known["names"].strip() else flagged.code)
        end = start + len(line.rstrip())
        yield Edit(Span(end, start + len(line)), f"  {mark} codehunch: ignore[{flagged.code}]")


def _works(parsed: ParsedSource, edit: Edit, flagged: Flagged) -> bool:
    text = parsed.text
    after = parse(text[: edit.span.start] + edit.content + text[edit.span.end :], parsed.language)
    if after.tree.root_node.has_error and not parsed.tree.root_node.has_error:
        return False
    above = edit.content.count("\n") if parsed.source.row_of(edit.span.start) <= flagged.row else 0
    return find_suppressions(after).silences(flagged.code, flagged.kind, flagged.row + above)

"""From changed lines to the functions that hold them, on both sides of an edit."""

from __future__ import annotations

import re

from tree_sitter import Node

from codehunch.syntax.parsing import ParsedSource
from codehunch_training.corpus.commits import Hunk
from codehunch_training.corpus.verdict import NotADefect

_HARMLESS = re.compile(rb"^\s*(?:#.*|import\s.*|from\s.*import.*|__version__\s*=.*|[)(,\w\s\\]*|\"\"\".*|'''.*|@\w.*)$")


def functions_of(
    before: ParsedSource, after: ParsedSource, hunk: Hunk, hunks: tuple[Hunk, ...]
) -> tuple[Node, Node] | None:
    """The innermost function that holds the hunk on both sides; ``None`` outside of functions."""
    old = _enclosing(before, hunk.old)
    new = _enclosing(after, hunk.new)
    if old is None and hunk.old[0] == hunk.old[1] and new is not None:
        old = _counterpart(before, new.start_point.row, [(h.new, h.old) for h in hunks])
    if new is None and hunk.new[0] == hunk.new[1] and old is not None:
        new = _counterpart(after, old.start_point.row, [(h.old, h.new) for h in hunks])
    if old is None or new is None:
        return None
    if _moved_row(old.start_point.row, [(h.old, h.new) for h in hunks]) != new.start_point.row:
        raise NotADefect("several functions")
    return old, new


def _enclosing(parsed: ParsedSource, rows: tuple[int, int]) -> Node | None:
    """The innermost function around the first to last line with text in these rows."""
    lines = [row for row in range(*rows) if parsed.source.line(row).strip()] if rows[1] - rows[0] < 200 else []
    if not lines:
        return None
    first, last = parsed.source.line(lines[0]), parsed.source.line(lines[-1])
    start = (lines[0], len(first[: len(first) - len(first.lstrip())].encode()))
    end = (lines[-1], len(last.rstrip().encode("utf-8", "replace")))
    node = parsed.tree.root_node.descendant_for_point_range(start, end)
    while node is not None and node.type != "function_definition":
        node = node.parent
    return node


def _moved_row(row: int, sides: list[tuple[tuple[int, int], tuple[int, int]]]) -> int:
    moved = row
    for (start, stop), (other_start, other_stop) in sides:
        if stop <= row and (start < row or start == stop):
            moved += (other_stop - other_start) - (stop - start)
    return moved


def _counterpart(parsed: ParsedSource, row: int, sides: list[tuple[tuple[int, int], tuple[int, int]]]) -> Node | None:
    row = _moved_row(row, sides)
    if row >= parsed.source.line_count:
        return None
    line = parsed.source.line(row)
    column = len(line) - len(line.lstrip())
    node = parsed.tree.root_node.descendant_for_point_range((row, column), (row, column + 1))
    while node is not None and node.type != "function_definition":
        node = node.parent
    return node if node is not None and node.start_point.row == row else None


def is_harmless(before: ParsedSource, after: ParsedSource, hunk: Hunk) -> bool:
    """Imports, comments, versions and blank lines outside of functions do not make a second change."""
    for parsed, rows in ((before, hunk.old), (after, hunk.new)):
        for row in range(*rows):
            if not _HARMLESS.match(parsed.source.line(row).encode("utf-8", "replace")):
                return False
    return True

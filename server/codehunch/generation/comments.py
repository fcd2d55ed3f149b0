"""Comments of a file with the statements below them, as examples for a comment that has none yet.

Who writes ``# the title must be a string`` below ``# the name must be a string`` means nearly the same statements.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import attrs
from tree_sitter import Node, Query, QueryCursor

from codehunch.generation.context import FileContext
from codehunch.generation.layout import to_canonical
from codehunch.generation.samples import (
    MOST_CHARS,
    MOST_LINES,
    Asked,
    Sample,
    is_trivial,
    name_likeness,
    parameter_names,
)
from codehunch.syntax.bodies import BodyRequest, indentation, is_blank, width
from codehunch.syntax.comments import comment_text, describes_code, is_pragma, is_statement_place
from codehunch.syntax.functions import Function, function_nodes
from codehunch.syntax.languages import grammar
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span
from codehunch.syntax.words import split_words

MODULE = "module"
"""Origin of statements outside of functions."""
_SAME_FUNCTION = 0.02
"""Decides between examples that are equally alike."""
_MOST_ROWS = 5_000


@attrs.frozen
class _Comment:
    """Comment lines that stand alone, one below the other."""

    row: int
    """The last one."""
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(map(comment_text, self.lines)).strip()


def alike_comments(
    context: FileContext, request: BodyRequest, asked: Asked, least: float, most: int
) -> Iterator[tuple[float, Sample]]:
    """Up to ``most`` samples of this file whose comments are at least so much like the one that asks, with their
    likeness, the best first. Nothing inside ``request.replace`` is read."""
    functions = deque(function_nodes(context.parsed))
    around: list[tuple[Function, Node]] = []
    ranked: list[tuple[float, int, _Comment, Asked]] = []
    for comment in _comments(context):
        # Both come in source order: one sweep finds the innermost function of every comment.
        place = context.parsed.source.line_span(comment.row).start
        while functions and functions[0][0].header.end <= place:
            around.append(functions.popleft())
        while around and around[-1][0].span.end <= place:
            around.pop()
        alike = name_likeness(asked.name_words, split_words(comment.text))
        if alike < least:
            continue
        parameters = parameter_names(around[-1][1]) if around else ()
        other = Asked("", parameters, comment.text, around[-1][0].qualified_name if around else "")
        alike = min(1.0, alike + (_SAME_FUNCTION if other.owner == asked.owner else 0.0))
        ranked.append((-alike, len(ranked), comment, other))
    for alike, _, comment, other in sorted(ranked, key=lambda item: item[:2]):
        body = _statements(context, comment, request.replace)
        if body is None or is_pragma(comment.lines[0], comment.row) or not describes_code(list(comment.lines)):
            continue
        yield -alike, Sample(other, body, "", other.owner or MODULE)
        most -= 1
        if most <= 0:
            return


def _comments(context: FileContext) -> Iterator[_Comment]:
    source, rows = context.parsed.source, _comment_rows(context)
    at = 0
    while at < len(rows):
        end = at + 1
        indent = indentation(source.line(rows[at]))
        while end < len(rows) and rows[end] == rows[end - 1] + 1 and indentation(source.line(rows[end])) == indent:
            end += 1
        yield _Comment(rows[end - 1], tuple(source.line(row) for row in rows[at:end]))
        at = end


def _comment_rows(context: FileContext) -> list[int]:
    """Rows that hold nothing but a comment where a statement could stand, in their order."""
    parsed, source = context.parsed, context.parsed.source
    nodes = QueryCursor(_comment_query()).captures(parsed.tree.root_node).get("comment", [])
    placed = (node for node in nodes if node.parent is not None and is_statement_place(node.parent))
    rows = (source.row_of(parsed.offset(node.start_byte)) for node in placed)
    return sorted(row for row in rows if source.line(row).lstrip(" \t\f").startswith("#"))[:_MOST_ROWS]


@lru_cache(maxsize=1)
def _comment_query() -> Query:
    return Query(grammar("python"), "(comment) @comment")


def _statements(context: FileContext, comment: _Comment, hidden: Span) -> str | None:
    """The canonical block below a comment, up to an empty line, a comment or the end of its block; empty lines and
    comments inside of its statements belong to them."""
    source = context.parsed.source
    margin, first = width(indentation(comment.lines[0])), comment.row + 1
    taken: list[str] = []
    whole = 0
    for row in range(first, min(source.line_count, first + MOST_LINES)):
        line = source.line(row)
        if source.line_span(row).overlaps(hidden) or (not taken and is_blank(line)):
            break
        taken.append(line)
        if is_blank(line):
            continue
        depth, between = width(indentation(line)), is_blank(source.line(row - 1))
        if depth < margin or (depth == margin and (between or line.lstrip(" \t\f").startswith("#"))):
            break
        whole = len(taken)
    body = to_canonical("\n".join(taken[:whole]), context.unit)
    if not body or len(body) > MOST_CHARS or is_trivial(body) or parse(body).tree.root_node.has_error:
        return None
    return body

"""A function cut out of its file and dedented, with the way back for offsets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource, text_of


@attrs.frozen
class Snippet:
    """``text`` ends with a line feed; line ends are line feeds."""

    text: str
    line: int
    """First line in the file, 1-based."""
    _file_starts: tuple[int, ...]
    """Offset in the file of each line's first kept character, and the same in the snippet."""
    _text_starts: tuple[int, ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """A range of the file as a range of the snippet."""
        return self._moved(start), self._moved(end)

    def _moved(self, offset: int) -> int:
        index = max(0, bisect_right(self._file_starts, offset) - 1)
        return min(self._text_starts[index] + max(0, offset - self._file_starts[index]), len(self.text))


def snippet(parsed: ParsedSource, node: Node) -> Snippet:
    """Cut out a function definition, decorators included.

    The first line's indentation is taken off every line except those inside string literals, which are
    part of the program; docstrings are not, and move with the code (PEP 257).
    """
    outer = definition_of(node)
    source = parsed.source
    first_row = source.row_of(parsed.offset(outer.start_byte))
    last_row = source.row_of(parsed.offset(outer.end_byte) - 1)
    first_start = parsed.offset(outer.start_byte)
    margin = source.text[source.line_starts[first_row] : first_start]
    if margin.strip():
        margin = ""  # Something else stands in front on the line.
    fixed_rows = _string_rows(outer, parsed)
    pieces: list[str] = []
    file_starts: list[int] = []
    text_starts: list[int] = []
    length = 0
    end = parsed.offset(outer.end_byte)
    for row in range(first_row, last_row + 1):
        span = source.line_span(row)
        start = first_start if row == first_row else span.start
        line = source.text[start : min(span.end, end)]
        if row != first_row and row not in fixed_rows:
            cut = _common(line, margin)
            start, line = start + cut, line[cut:]
        file_starts.append(start)
        text_starts.append(length)
        pieces.append(line)
        length += len(line) + 1
    return Snippet("\n".join(pieces) + "\n", first_row + 1, tuple(file_starts), tuple(text_starts))


def definition_of(node: Node) -> Node:
    """The decorated definition around a function, or the function."""
    parent = node.parent
    return parent if parent is not None and parent.type == "decorated_definition" else node


def _common(line: str, margin: str) -> int:
    count = 0
    while count < min(len(line), len(margin)) and line[count] == margin[count]:
        count += 1
    return count


def _string_rows(outer: Node, parsed: ParsedSource) -> set[int]:
    """Rows that begin inside a string literal, docstrings left out. Rows are the source text's own."""
    rows: set[int] = set()
    if b'"""' not in (outer.text or b"") and b"'''" not in (outer.text or b"") and b"\\\n" not in (outer.text or b""):
        return rows
    stack = [outer]
    while stack:
        node = stack.pop()
        if node.start_point.row == node.end_point.row:
            continue
        if node.type == "string":
            rows.update(
                range(
                    parsed.source.row_of(parsed.offset(node.start_byte)) + 1,
                    parsed.source.row_of(parsed.offset(node.end_byte)) + 1,
                )
            )
            continue
        skipped = docstring_node(node) if node.type == "block" else None
        holder = skipped.parent if skipped is not None else None
        stack.extend(child for child in node.children if holder is None or child.id != holder.id)
    return rows


def qualified_name_of(node: Node) -> str:
    """Dotted name through the classes and functions around a definition."""
    names: list[str] = []
    current: Node | None = node
    while current is not None:
        if current.type in ("function_definition", "class_definition"):
            name = current.child_by_field_name("name")
            names.append(text_of(name))
        current = current.parent
    return ".".join(reversed(names))


def enclosing_class_of(node: Node) -> str:
    """Qualified name of the class whose body holds the function directly, else empty."""
    parent = definition_of(node).parent
    holder = parent.parent if parent is not None and parent.type == "block" else None
    return qualified_name_of(holder) if holder is not None and holder.type == "class_definition" else ""


def function_definitions(root: Node) -> Iterator[Node]:
    """Every function of a tree in source order. Expressions are not entered: they hold none."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            yield node
        if node.type in _ENTERED:
            stack.extend(reversed(node.named_children))


_ENTERED = frozenset(
    """module block function_definition class_definition decorated_definition if_statement elif_clause else_clause
    for_statement while_statement try_statement except_clause except_group_clause finally_clause with_statement
    match_statement case_clause""".split()
)

"""Where the nodes of a Python tree stand in the text that it was made of."""

from __future__ import annotations

import ast
import re

from codehunch.syntax.spans import Span


class Source:
    """Where the nodes of a tree stand in their text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        """Of a row from 1 and a column in bytes of UTF-8, as trees count."""
        own = self._lines[line - 1]
        return self._starts[line - 1] + (column if own.isascii() else len(own.encode()[:column].decode()))

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> Span:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Span(self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset))

    def of(self, node: ast.expr | ast.stmt) -> str:
        return self.span(node).of(self.text)

    def between(self, left: ast.expr, right: ast.expr, symbol: str) -> Span | None:
        """Where an operator stands between two operands."""
        start, end = self.span(left).end, self.span(right).start
        found = re.compile(r"\s+".join(map(re.escape, symbol.split()))).search(self.text, start, end)
        return Span(found.start(), found.end()) if found is not None else None

    def line_of(self, offset: int) -> tuple[int, int]:
        """Start and end of the line that an offset stands in, without its line end."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return start, end if end >= 0 else len(self.text)

"""A request for code: what is described, where the code goes, and how it is laid out there."""

from __future__ import annotations

import re
from typing import Literal

import attrs

from codehunch.syntax.functions import Function
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.spans import Span

_LINE_END = re.compile(r"\r\n|\n|\r")


@attrs.frozen
class BodyRequest:
    """A described place without code. Offsets are code points of the text it was found in."""

    kind: Literal["docstring", "comment"]
    function: Function | None
    """The function to complete, or the one a comment lies in; ``None`` for a comment outside functions."""
    description: str
    """The cleaned docstring, or the comment's text without its ``#``; lines end in ``\\n``."""
    replace: Span
    """What a candidate's text replaces: an empty place, a blank line, or the placeholders (``pass``)."""
    indent: str
    """Indentation of the body's lines, as the file writes it."""
    cursor: int
    lead: str = ""
    """What the replacement starts with before the body's first line, such as the line end after a docstring."""
    trail: str = ""
    """What the replacement ends with, to keep a blank line before the code that follows."""
    newline: str = "\n"
    """The line end the file uses."""
    unit: str = "    "
    """One level of the file's indentation."""

    @property
    def at_cursor(self) -> bool:
        """Whether the cursor lies in ``replace``, so that ghost text at the cursor can show the body."""
        return self.replace.start <= self.cursor <= self.replace.end

    def render(self, body: str) -> str:
        """The text that replaces ``replace``: ``body``'s lines at the place's indentation and line ends.

        ``body`` is indented by four spaces a level and starts at any level; a file of tabs gets tabs.
        Lines inside a multi-line string are part of its value and stay as they are.
        """
        lines = _LINE_END.split(body)
        while lines and is_blank(lines[0]):
            del lines[0]
        while lines and is_blank(lines[-1]):
            del lines[-1]
        margin = len(indentation(lines[0])) if lines else 0
        verbatim = _rows_inside_strings("\n".join(line[margin:] if is_blank(line[:margin]) else line for line in lines))
        placed = (line if row in verbatim else self._indented(line, margin) for row, line in enumerate(lines))
        return f"{self.lead}{self.newline.join(placed)}{self.trail}"

    def _indented(self, line: str, margin: int) -> str:
        line = line.rstrip(" \t")
        if not line:
            return line
        line = line[min(margin, len(indentation(line))) :]
        levels, rest = divmod(len(line) - len(line.lstrip(" ")), 4)
        return self.indent + self.unit * levels + " " * rest + line.lstrip(" ")


def _rows_inside_strings(body: str) -> set[int]:
    """Rows whose start lies inside a string literal."""
    rows: set[int] = set()
    stack = [parse(body).tree.root_node]
    while stack:
        node = stack.pop()
        first, last = node.start_point[0], node.end_point[0]
        if first == last:
            continue
        if node.type == "string":
            rows.update(range(first + 1, last + 1))
        else:
            stack.extend(node.named_children)
    return rows


def is_blank(line: str) -> bool:
    """Whether a line, its line end left out, holds nothing but white space."""
    return not line.strip(" \t\f")


def indentation(line: str) -> str:
    """The white space a line starts with. A form feed starts the count anew (Python reference, 2.1.8)."""
    text = line[: len(line) - len(line.lstrip(" \t\f"))]
    return text.rpartition("\f")[2]


def width(indent: str) -> int:
    """Columns of an indentation, tabs filling up to a multiple of eight (Python reference, 2.1.8)."""
    return len(indent.expandtabs(8))


def file_newline(parsed: ParsedSource) -> str:
    """The line end of the file's first line; ``\\n`` where there is none."""
    found = _LINE_END.search(parsed.text)
    return found.group() if found else "\n"


def file_unit(parsed: ParsedSource) -> str:
    """One level of indentation, read from the first indented block; four spaces where there is none."""
    for row in range(1, parsed.source.line_count):
        indent = indentation(parsed.source.line(row))
        if indent and parsed.source.line(row - 1).rstrip().endswith(":"):
            above = indentation(parsed.source.line(row - 1))
            if indent.startswith(above) and len(indent) > len(above):
                return indent[len(above) :]
    return "    "

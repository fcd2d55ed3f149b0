"""Suppression comments: ``# codehunch: ignore``, ``# codehunch: ignore[CH101, off-by-one]``, ``ignore-file``.

They count only in real comments, never in strings. Codes and kind names may be mixed and written in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
from tree_sitter import Node

from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.sections import cut_at, section_starts

_MARK = "codehunch:"
_DIRECTIVE = re.compile(
    r"(?<![\w-])codehunch:[ \t]*(?P<verb>ignore-file|ignore)(?![\w-])(?:[ \t]*\[(?P<names>[^\]\r\n]*))?", re.IGNORECASE
)
_EVERYTHING = frozenset(("*",))
# In these a comment at the end of the header speaks for the header only, not for the block below it.
_COMPOUND = re.compile(r"(?:function_definition|class_definition|(?:if|for|while|try|with|match)_statement|_clause)$")
_BLOCKS = frozenset(
    ("module", "translation_unit", "program", "block", "compound_statement", "statement_block", "ERROR")
)


@attrs.frozen
class Suppressions:
    """What the comments of one file silence. Names are lower case; ``*`` stands for every rule."""

    file: frozenset[str] = frozenset()
    rows: Mapping[int, frozenset[str]] = attrs.field(factory=dict)
    """0-based row -> the names silenced there."""

    def silences(self, code: str, kind: str, row: int) -> bool:
        """Whether a finding of that code and kind name on a 0-based row is to be left out."""
        asked = {"*", code.lower(), kind.lower()}
        return not asked.isdisjoint(self.file) or not asked.isdisjoint(self.rows.get(row, ()))


def find_suppressions(parsed: ParsedSource) -> Suppressions:
    """Read a file's suppression comments.

    A comment speaks for its own row. Behind the last row of a statement, or of a compound statement's
    header, it speaks for all rows of that statement or header. An empty list silences nothing.
    A Python text with syntax errors is read section by section, as its functions are.
    """
    if _MARK not in parsed.text.lower():
        return Suppressions()
    if not parsed.tree.root_node.has_error or parsed.language != "python":
        return _written_in(parsed)
    everywhere: frozenset[str] = frozenset()
    rows: dict[int, frozenset[str]] = {}
    for start, text in cut_at(parsed.text, list(section_starts(parsed.text))):
        if _MARK in text.lower():
            found, above = _written_in(parse(text)), parsed.source.row_of(start)
            everywhere |= found.file
            rows.update((above + row, names) for row, names in found.rows.items())
    return Suppressions(everywhere, rows)


def _written_in(parsed: ParsedSource) -> Suppressions:
    everywhere: frozenset[str] = frozenset()
    rows: dict[int, frozenset[str]] = {}
    for match in _DIRECTIVE.finditer(parsed.text):
        byte = parsed.byte(match.start())
        node = parsed.tree.root_node.descendant_for_byte_range(byte, byte + 1)
        if node is None or not node.type.endswith("comment"):
            continue
        listed = match["names"]
        written = (name.strip().lower() for name in listed.split(",")) if listed is not None else ()
        names = frozenset(filter(None, written)) if listed is not None else _EVERYTHING
        if match["verb"].lower() == "ignore-file":
            everywhere |= names
            continue
        last = parsed.source.row_of(parsed.offset(node.start_byte))
        for row in range(_first_row(parsed, node, last), last + 1):
            rows[row] = rows.get(row, frozenset()) | names
    return Suppressions(everywhere, rows)


def _first_row(parsed: ParsedSource, comment: Node, last: int) -> int:
    """The first row of the statement, or header, that ends on the comment's row."""
    span = parsed.span(comment)
    line_start = parsed.source.line_starts[last]
    code = parsed.text[line_start : span.start].rstrip()
    if not code:
        return last
    byte = parsed.byte(line_start + len(code) - 1)
    node = parsed.tree.root_node.descendant_for_byte_range(byte, byte + 1)
    below = None
    while node is not None:
        kind = node.type
        if kind in _BLOCKS:
            return last
        if _COMPOUND.search(kind):
            # Reached from its colon or its header; a block in between would have ended the climb.
            colon = below is not None and below.type == ":"
            return parsed.source.row_of(parsed.offset(node.start_byte)) if colon else last
        if kind.endswith(("_statement", "_declaration", "_definition")):
            ends_here = node.end_byte <= byte + 1
            return parsed.source.row_of(parsed.offset(node.start_byte)) if ends_here else last
        below, node = node, node.parent
    return last

"""Text to tree-sitter tree, with offsets in code points instead of bytes."""

from __future__ import annotations

import re
from functools import cached_property

import attrs
import numpy as np
from tree_sitter import Node, Tree

from codehunch.syntax.languages import parser
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

_LONE_RETURN = re.compile(rb"\r(?!\n)")


@attrs.frozen(slots=False)
class ParsedSource:
    """A text and its syntax tree. tree-sitter recovers from errors, so there is always a tree."""

    source: SourceText
    language: str
    tree: Tree
    data: bytes
    """The UTF-8 text the tree was made of and its byte offsets count in."""

    @property
    def text(self) -> str:
        return self.source.text

    @cached_property
    def _offset_of_byte(self) -> np.ndarray | None:
        if len(self.data) == len(self.source.text):
            return None
        leading = (np.frombuffer(self.data, dtype=np.uint8) & 0xC0) != 0x80
        return np.concatenate(([0], np.cumsum(leading)))

    def offset(self, byte: int) -> int:
        """Code point offset of a byte offset."""
        table = self._offset_of_byte
        return byte if table is None else int(table[byte])

    def byte(self, offset: int) -> int:
        """Byte offset of a code point offset."""
        table = self._offset_of_byte
        return offset if table is None else int(np.searchsorted(table, offset, side="right")) - 1

    def span(self, node: Node) -> Span:
        return Span(self.offset(node.start_byte), self.offset(node.end_byte))


def parse(source: SourceText | str, language: str = "python") -> ParsedSource:
    """Parse a whole text. Lone surrogates, which no UTF-8 has, are read as a question mark, and a carriage return that
    ends a line by itself as a line feed, for grammars let a comment run over it."""
    if isinstance(source, str):
        source = SourceText(source)
    try:
        data = source.text.encode("utf-8")
    except UnicodeEncodeError:
        # One code point for one code point: offsets stay right and the text itself is untouched.
        data = source.text.encode("utf-8", "replace")
    if b"\r" in data:
        data = _LONE_RETURN.sub(b"\n", data)
    return ParsedSource(source, language, parser(language).parse(data), data)


def text_of(node: Node | None) -> str:
    """What stands at a node; nothing at none."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""

"""A function as the sequence of its lexical tokens, layout, comments and docstrings left out.

Two layouts of one program give one sequence: line breaks and indentation become three marks, taken
from the tree's blocks and not from columns. Every other lexeme knows its exact span in the text.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

import attrs
from tree_sitter import Node

from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource
from codehunch.syntax.spans import Span


class LexemeKind(IntEnum):
    """What a lexeme is; the marks have empty spans."""

    NEWLINE = 0
    INDENT = 1
    DEDENT = 2
    NAME = 3
    ATTRIBUTE = 4
    KEYWORD_NAME = 5
    """The name of a keyword argument at a call."""
    NUMBER = 6
    STRING = 7
    """One piece of a string literal: its opening (with prefix), its content, or its closing quote."""
    OTHER = 8
    """Keywords, operators, brackets."""


@attrs.frozen
class Lexeme:
    text: str
    span: Span
    kind: LexemeKind


_WHOLE = {"is not", "not in", "string_content", "integer", "float"}
"""Nodes read as one lexeme although the grammar gives them parts."""
_IDENTIFIERS = {"identifier", "field_identifier", "property_identifier", "type_identifier"}
_STRINGS = {"string_start", "string_content", "string_end"}
_NUMBERS = {"integer", "float", "number_literal"}
_STATEMENT_LISTS = {"block", "module"}


_Stack: TypeAlias = "list[Node | tuple[Node | None, LexemeKind | None, int]]"
"""Nodes to come; a kind goes with those that have another one here than they would have elsewhere, and with the marks
between statements, which are no nodes and stand at an offset."""


def lexemes_of(parsed: ParsedSource, node: Node) -> list[Lexeme]:
    """The lexemes under a node in source order. Reads broken code too: errors only add odd lexemes."""
    out: list[Lexeme] = []
    offset, data = parsed.offset, parsed.data
    # A stack instead of recursion: nesting depth is the file's to choose, not the interpreter's.
    stack: _Stack = [node]
    while stack:
        current, kind = stack.pop(), None
        if isinstance(current, tuple):
            marked, kind, at = current
            if marked is None:
                out.append(Lexeme("", Span(at, at), kind or LexemeKind.NEWLINE))
                continue
            current = marked
        type_ = current.type
        if type_ == "comment":
            continue
        children = () if type_ in _WHOLE else current.children
        if not children:
            start, end = current.start_byte, current.end_byte
            if start == end:
                continue
            if kind is None:
                kind = _kind(type_)
            out.append(Lexeme(data[start:end].decode("utf-8", "replace"), Span(offset(start), offset(end)), kind))
            continue
        if type_ in _STATEMENT_LISTS:
            _push_statements(parsed, current, stack)
        elif type_ == "attribute" or type_ == "field_expression":
            stack.extend(reversed(children[:-1]))
            last, insert = children[-1], len(stack) - (len(children) - 1)
            stack.insert(insert, (last, LexemeKind.ATTRIBUTE if last.type in _IDENTIFIERS else None, 0))
        elif type_ == "keyword_argument" and children[0].type == "identifier":
            stack.extend(reversed(children[1:]))
            stack.append((children[0], LexemeKind.KEYWORD_NAME, 0))
        else:
            stack.extend(reversed(children))
    return out


def _push_statements(parsed: ParsedSource, block: Node, stack: _Stack) -> None:
    docstring = docstring_node(block)
    skipped = docstring.parent if docstring is not None else None
    statements = [
        child for child in block.children if child.type != "comment" and (skipped is None or child.id != skipped.id)
    ]
    marked = block.type == "block"
    if marked:
        stack.append((None, LexemeKind.DEDENT, parsed.offset(block.end_byte)))
    for index in range(len(statements) - 1, -1, -1):
        stack.append(statements[index])
        if index:
            stack.append((None, LexemeKind.NEWLINE, parsed.offset(statements[index].start_byte)))
    if marked:
        stack.append((None, LexemeKind.INDENT, parsed.offset(block.start_byte)))


def _kind(node_type: str) -> LexemeKind:
    if node_type in _IDENTIFIERS:
        return LexemeKind.NAME
    if node_type in _STRINGS:
        return LexemeKind.STRING
    if node_type in _NUMBERS:
        return LexemeKind.NUMBER
    return LexemeKind.OTHER

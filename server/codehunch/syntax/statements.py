"""Statements that no function holds: scripts, the cells of notebooks, what a module does when it is imported."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.syntax.spans import Span

DEFINITIONS = frozenset("function_definition class_definition decorated_definition".split())
_NOT_READ = DEFINITIONS | frozenset(
    """import_statement import_from_statement future_import_statement comment type_alias_statement global_statement
    pass_statement""".split()
)
BLOCKS = frozenset(
    """if_statement elif_clause else_clause for_statement while_statement try_statement except_clause
    except_group_clause finally_clause with_statement match_statement case_clause block""".split()
)
"""What holds statements of the level it stands on itself."""
_LONGEST = 20_000
"""Bytes of a statement that is read: what is longer is a table, not code."""


def outer_statements(parsed: ParsedSource) -> Iterator[Span]:
    """Statements of the outermost level of a Python text that compute something, in source order: no imports, no
    definitions and nothing that holds one, no constants, no block without a body. Of a text with syntax errors those
    of the sections without one, each read by itself."""
    text = parsed.text
    if not parsed.tree.root_node.has_error:
        yield from _of(parsed, 0)
        return
    for start, section in cut_at(text, list(section_starts(text))):
        if not (part := parse(section)).tree.root_node.has_error:
            yield from _of(part, start)


def _of(parsed: ParsedSource, start: int) -> Iterator[Span]:
    for node in parsed.tree.root_node.named_children:
        if node.type in _NOT_READ or node.end_byte - node.start_byte > _LONGEST:
            continue
        if not _is_passed_over(node) and _reads(node):
            span = parsed.span(node)
            yield Span(start + span.start, start + span.end)


def _is_passed_over(node: Node) -> bool:
    """Whether a function or a class is defined in a statement, which are read by themselves, or a block in it is empty:
    it is being typed."""
    stack = [node] if node.type in BLOCKS else []
    while stack:
        current = stack.pop()
        if current.type in DEFINITIONS or (current.type == "block" and not current.named_child_count):
            return True
        stack.extend(child for child in current.named_children if child.type in BLOCKS or child.type in DEFINITIONS)
    return False


def _reads(node: Node) -> bool:
    """Whether a statement has a name but those it assigns to."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type == "identifier":
            return True
        left = current.child_by_field_name("left") if current.type == "assignment" else None
        stack.extend(child for child in current.named_children if left is None or child.id != left.id)
    return False

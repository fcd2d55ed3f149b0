"""Statements that no function holds: scripts, the cells of notebooks, what a module or a class does when it is made."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.syntax.parsing import ParsedSource, parse, text_of
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
_HOLDERS = DEFINITIONS | BLOCKS
_LONGEST = 20_000
"""Bytes of a statement that is read: what is longer is a table, not code."""


def outer_statements(parsed: ParsedSource) -> Iterator[Span]:
    """Statements of the outermost level of a Python text that compute something, in source order: no imports, no
    definitions and nothing that holds one, no constants, no block without a body. Of a text with syntax errors those
    of the sections without one, each read by itself."""
    for start, part in _whole(parsed):
        for node in part.tree.root_node.named_children:
            if _is_read(node) and not _is_passed_over(node):
                yield _moved(part.span(node), start)


@attrs.frozen
class ClassPart:
    """What a class computes when it is made."""

    span: Span
    class_name: str | None
    """Qualified name of the class whose names it sees."""


def class_parts(parsed: ParsedSource) -> Iterator[ClassPart]:
    """What the classes that no function holds compute outside of methods, in source order: decorators and bases (with
    the name of the class in front), which see the names of the class around, and statements of their bodies that are
    no blocks. Otherwise as ``outer_statements``."""
    for start, part in _whole(parsed):
        waiting: list[tuple[Node, str | None]] = [(part.tree.root_node, None)]
        while waiting:
            node, within = waiting.pop()
            if node.type == "class_definition":
                name, body, bases = (node.child_by_field_name(each) for each in ("name", "body", "superclasses"))
                own = f"{within}.{text_of(name)}" if within else text_of(name)
                waiting += [(each, own) for each in reversed(body.named_children if body is not None else ())]
                if name is None or bases is None:
                    continue
                if node.child_by_field_name("type_parameters") is not None:
                    waiting += [(each, within) for each in reversed(bases.named_children)]
                elif _is_read(bases):  # From the name on they read as a call.
                    yield ClassPart(_moved(Span(part.span(name).start, part.span(bases).end), start), within)
            elif node.type == "decorated_definition":
                inner = node.child_by_field_name("definition")
                if inner is not None and inner.type == "class_definition":
                    waiting.append((inner, within))
                    waiting += [(each, within) for each in reversed(node.children) if each.type == "decorator"]
            elif node.type in ("decorator", "keyword_argument"):
                waiting += [(each, within) for each in node.named_children[-1:]]
            elif node.type == "module" or (within is None and node.type in BLOCKS):
                waiting += [(each, within) for each in reversed(node.named_children) if each.type in _HOLDERS]
            elif node.type not in BLOCKS and _is_read(node):
                yield ClassPart(_moved(part.span(node), start), within)


def _whole(parsed: ParsedSource) -> Iterator[tuple[int, ParsedSource]]:
    """The text, or its sections without a syntax error where it has one, and where each begins."""
    if not parsed.tree.root_node.has_error:
        yield 0, parsed
        return
    for start, section in cut_at(parsed.text, list(section_starts(parsed.text))):
        if not (part := parse(section)).tree.root_node.has_error:
            yield start, part


def _moved(span: Span, start: int) -> Span:
    return Span(start + span.start, start + span.end)


def _is_read(node: Node) -> bool:
    return node.type not in _NOT_READ and node.end_byte - node.start_byte <= _LONGEST and _reads(node)


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

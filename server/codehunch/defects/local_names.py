"""Which names the statements of one function bind, and which they take away."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from codehunch.defects.bindings import BLOCKS, identifiers, imported_names, targets_of
from codehunch.syntax.parsing import text_of
from codehunch.syntax.statements import DEFINITIONS


def functions_in(definition: Node) -> Iterator[Node]:
    """A ``function_definition`` and those in it. Expressions, most of a tree, hold none."""
    stack = [definition]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            yield node
        if node.type in BLOCKS or node.type in DEFINITIONS:
            stack.extend(node.named_children)


def bound_in(top: Node, first: bool = False) -> Iterator[str]:
    """Names that statements below a node bind in the same function; with ``first`` only those that can be bound there
    without having a value before, which ``x += 1`` needs."""
    stack = [top]
    while stack:
        node = stack.pop()
        kind = node.type
        if kind in DEFINITIONS:
            yield from defined_name(node)
            stack.extend(evaluated_with(node))
            continue
        if kind == "lambda":
            continue
        if kind in ("assignment", "augmented_assignment", "for_statement"):
            counts = kind == "for_statement" or node.child_by_field_name("right") is not None
            if counts and not (first and kind == "augmented_assignment"):
                yield from targets_of(node.child_by_field_name("left"))
        elif kind == "named_expression":
            yield from targets_of(node.child_by_field_name("name"))
        elif kind in ("import_statement", "import_from_statement"):
            yield from imported_names(node)
            continue
        elif kind == "as_pattern":
            yield from as_names(node)
        elif kind == "case_pattern":
            yield from identifiers(node)
        elif kind == "except_clause":  # ``except Error, error:`` of Python 2.
            yield from (text_of(child) for child in node.children[3:] if child.type == "identifier")
        stack.extend(node.named_children)


def unbound_in(top: Node) -> Iterator[str]:
    """Names that ``del`` or the end of an exception handler takes away below a node."""
    stack = [top] if top.type not in DEFINITIONS else []
    while stack:
        node = stack.pop()
        if node.type == "delete_statement":
            yield from (name for child in node.named_children for name in targets_of(child))
        elif node.type in ("except_clause", "except_group_clause"):
            yield from (name for child in node.named_children[:-1] for name in as_names(child))
        stack.extend([child for child in node.named_children if child.type in _TAKING])


def bound_elsewhere(body: Node) -> frozenset[str]:
    """Names that ``global`` and ``nonlocal`` give to another scope."""
    found: set[str] = set()
    stack = [body] if body.type not in DEFINITIONS else []
    while stack:
        node = stack.pop()
        if node.type in _GIVING:
            found.update(identifiers(node))
        else:
            stack.extend([child for child in node.named_children if child.type in BLOCKS or child.type in _GIVING])
    return frozenset(found)


_TAKING = BLOCKS | {"delete_statement"}
_GIVING = frozenset(("global_statement", "nonlocal_statement"))
"""Looked for among statements only: expressions, most of a tree, hold none."""


def as_names(node: Node) -> list[str]:
    """What ``... as name`` binds."""
    if node.type != "as_pattern":
        return []
    return [name for child in node.named_children if child.type == "as_pattern_target" for name in identifiers(child)]


def defined_name(node: Node) -> list[str]:
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    name = text_of(inner.child_by_field_name("name")) if inner is not None else ""
    return [name] if name else []


def evaluated_with(node: Node) -> Iterator[Node]:
    """What runs where a function or class is defined: decorators, defaults, bases."""
    inner: Node | None = node
    if node.type == "decorated_definition":
        yield from (child for child in node.named_children if child.type == "decorator")
        inner = node.child_by_field_name("definition")
    if inner is not None and inner.type == "function_definition":
        yield from defaults_of(inner.child_by_field_name("parameters"))
    elif inner is not None:
        bases = inner.child_by_field_name("superclasses")
        yield from (bases,) if bases is not None else ()


def defaults_of(parameters: Node | None) -> list[Node]:
    values = [each.child_by_field_name("value") for each in parameters.named_children] if parameters is not None else []
    return [value for value in values if value is not None]

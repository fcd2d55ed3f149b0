"""From a syntax tree to its functions: methods, nested and async ones, with their parts as spans."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.syntax.languages import language_named
from codehunch.syntax.parsing import ParsedSource
from codehunch.syntax.spans import Span


@attrs.frozen
class Function:
    """One named function of a file. Lambdas are expressions and are not listed."""

    qualified_name: str
    """Dotted, as ``__qualname__`` without ``<locals>``: ``Class.method``, ``outer.inner``."""
    span: Span
    """Decorators to the end of the body."""
    header: Span
    """From ``def`` (or ``async``) to the colon, decorators left out."""
    docstring: Span | None
    """The whole string literal, quotes included."""
    body: Span
    """The block after the header, docstring included."""
    nesting: int
    """How many functions enclose this one; classes do not count."""
    decorators: tuple[str, ...] = ()
    """Each decorator's text without the ``@``."""
    is_async: bool = False
    enclosing_class: str | None = None
    """Qualified name of the class whose body holds the function directly."""
    broken: bool = False
    """Whether the parser had to recover from an error inside the function."""

    @property
    def name(self) -> str:
        return self.qualified_name.rpartition(".")[2]

    @property
    def is_property(self) -> bool:
        return any(text.split("(")[0].rpartition(".")[2] in _PROPERTY_DECORATORS for text in self.decorators)


_PROPERTY_DECORATORS = {"property", "cached_property", "setter", "getter", "deleter"}


@attrs.frozen
class Definition:
    """A function together with the syntax nodes it was read from."""

    function: Function
    node: Node
    """The definition itself, decorators left out."""
    enclosing_class: Node | None
    """The class whose body holds the function directly."""


def find_functions(parsed: ParsedSource) -> tuple[Function, ...]:
    """Every function of the file in source order, outer ones before the ones they hold."""
    return tuple(definition.function for definition in definitions(parsed))


def function_nodes(parsed: ParsedSource) -> Iterator[tuple[Function, Node]]:
    """Each function with its definition node."""
    for definition in definitions(parsed):
        yield definition.function, definition.node


@attrs.frozen
class _Place:
    """Where the walk is: what the nodes below inherit."""

    prefix: str = ""
    nesting: int = 0
    class_name: str | None = None
    class_node: Node | None = None

    def qualify(self, name: str) -> str:
        return f"{self.prefix}.{name}" if self.prefix else name


def definitions(parsed: ParsedSource) -> Iterator[Definition]:
    """Each function with its nodes, in source order. Iterative: hostile nesting must not end the recursion.

    Expressions of a language whose functions are statements are skipped, which is most of a file;
    a node with an error inside is searched all the same, for there the parser has guessed.
    """
    spec = language_named(parsed.language)
    containers = spec.container_types
    stack: list[tuple[Node, Node, _Place]] = [(parsed.tree.root_node, parsed.tree.root_node, _Place())]
    while stack:
        node, outer, place = stack.pop()
        kind = node.type
        if kind in spec.function_types:
            name = _name(node)
            if name:
                qualified = place.qualify(name)
                function = _function(parsed, node, outer, qualified, place)
                yield Definition(function, node, place.class_node)
                place = _Place(qualified, place.nesting + 1)
        elif kind in spec.scope_types:
            name = _name(node)
            if name:
                qualified = place.qualify(name)
                place = _Place(qualified, place.nesting, qualified, node)
        decorated = kind == "decorated_definition"
        for child in reversed(node.named_children):
            if not containers or child.type in containers or child.has_error:
                stack.append((child, node if decorated else child, place))


def _name(node: Node) -> str:
    found = node.child_by_field_name("name")
    if found is None:  # C and C++ hide the name in nested declarators.
        declarator = node.child_by_field_name("declarator")
        while declarator is not None and declarator.type not in (
            "identifier",
            "field_identifier",
            "qualified_identifier",
        ):
            inner = declarator.child_by_field_name("declarator")
            declarator = inner if inner is not None else next(iter(declarator.named_children), None)
        found = declarator
    text = found.text if found is not None else None
    return text.decode("utf-8", "replace") if text else ""


def _function(parsed: ParsedSource, node: Node, outer: Node, qualified: str, place: _Place) -> Function:
    body = node.child_by_field_name("body")
    span = parsed.span(outer)
    body_span = parsed.span(body) if body is not None else Span(span.end, span.end)
    start = parsed.offset(node.start_byte)
    colon = next((child for child in node.children if child.type == ":"), None)
    header_end = parsed.offset(colon.end_byte) if colon is not None else body_span.start
    docstring = docstring_node(body)
    return Function(
        qualified_name=qualified,
        span=span,
        header=Span(start, max(start, header_end)),
        docstring=parsed.span(docstring) if docstring is not None else None,
        body=body_span,
        nesting=place.nesting,
        decorators=tuple(_text(child)[1:].strip() for child in outer.children if child.type == "decorator"),
        is_async=any(child.type == "async" for child in node.children),
        enclosing_class=place.class_name,
        broken=node.has_error,
    )


def docstring_node(body: Node | None) -> Node | None:
    """The string literal that opens a Python block, or ``None``. Byte and f-strings are no docstrings."""
    first = (
        next((child for child in body.named_children if child.type != "comment"), None) if body is not None else None
    )
    if first is None or first.type != "expression_statement" or first.named_child_count != 1:
        return None
    string = first.named_children[0]
    if string.type == "concatenated_string":
        parts = string.named_children
    elif string.type == "string":
        parts = [string]
    else:
        return None
    prefixes = {_text(part.children[0]).rstrip("\"'").lower() for part in parts if part.children}
    return string if prefixes <= {"", "r", "u"} else None


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")

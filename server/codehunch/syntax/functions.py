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


def find_functions(parsed: ParsedSource) -> tuple[Function, ...]:
    """Every function of the file in source order, outer ones before the ones they hold."""
    return tuple(function for function, _ in function_nodes(parsed))


def function_nodes(parsed: ParsedSource) -> Iterator[tuple[Function, Node]]:
    """Each function with its definition node. Iterative: hostile nesting must not end the recursion."""
    spec = language_named(parsed.language)
    stack: list[tuple[Node, str, int, str | None, bool]] = [(parsed.tree.root_node, "", 0, None, False)]
    while stack:
        node, prefix, nesting, enclosing_class, direct = stack.pop()
        if node.type in spec.function_types:
            name = _name(node)
            if name:
                qualified = f"{prefix}.{name}" if prefix else name
                yield _function(parsed, node, qualified, nesting, enclosing_class if direct else None), node
                prefix, nesting, enclosing_class, direct = qualified, nesting + 1, None, False
        elif node.type in spec.scope_types:
            name = _name(node)
            if name:
                prefix = f"{prefix}.{name}" if prefix else name
                enclosing_class, direct = prefix, True
        stack.extend((child, prefix, nesting, enclosing_class, direct) for child in reversed(node.named_children))


def _name(node: Node) -> str:
    found = node.child_by_field_name("name")
    if found is None:  # C and C++ hide the name in nested declarators.
        declarator = node.child_by_field_name("declarator")
        while declarator is not None and declarator.type not in ("identifier", "field_identifier", "qualified_identifier"):
            inner = declarator.child_by_field_name("declarator")
            declarator = inner if inner is not None else next(iter(declarator.named_children), None)
        found = declarator
    text = found.text if found is not None else None
    return text.decode("utf-8", "replace") if text else ""


def _function(parsed: ParsedSource, node: Node, qualified: str, nesting: int, enclosing_class: str | None) -> Function:
    outer = node.parent if node.parent is not None and node.parent.type == "decorated_definition" else node
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
        nesting=nesting,
        decorators=tuple(_text(child)[1:].strip() for child in outer.children if child.type == "decorator"),
        is_async=any(child.type == "async" for child in node.children),
        enclosing_class=enclosing_class,
        broken=node.has_error,
    )


def docstring_node(body: Node | None) -> Node | None:
    """The string literal that opens a Python block, or ``None``. Byte and f-strings are no docstrings."""
    first = next((child for child in body.named_children if child.type != "comment"), None) if body is not None else None
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

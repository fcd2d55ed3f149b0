"""From a syntax tree to its functions: methods, nested and async ones, with their parts as spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import attrs
from tree_sitter import Node

from codehunch.syntax.languages import language_named
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch.syntax.sections import cut_at, inner_indent, section_starts
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
    """Every function of the file in source order, outer ones before the ones they hold.

    In a Python text with syntax errors each section is read by itself, and each method of a class that is broken: what
    is half typed hides nothing around it.
    """
    if not parsed.tree.root_node.has_error or parsed.language != "python":
        return tuple(definition.function for definition in definitions(parsed))
    text = parsed.text
    sections = list(cut_at(text, list(section_starts(text))))
    return tuple(function for start, section in sections for function in _recovered(section, start, _Place()))


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
    """Each function with its nodes, in source order, as the parser has understood the text.

    Expressions of a language whose functions are statements are skipped, which is most of a file;
    a node with an error inside is searched all the same, for there the parser has guessed.
    """
    return _walk(parsed, _Place())


def _walk(parsed: ParsedSource, place: _Place) -> Iterator[Definition]:
    """Iterative: hostile nesting must not end the recursion."""
    spec = language_named(parsed.language)
    containers = spec.container_types
    stack: list[tuple[Node, Node, _Place]] = [(parsed.tree.root_node, parsed.tree.root_node, place)]
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


_OPENING = "if 1:\n"
"""Holds indented lines, so that they parse as they are."""
_DEEPEST = 3
"""Classes in classes beyond this are not taken apart: reading each level again must not add up."""


def _recovered(text: str, start: int, place: _Place, indent: str = "", depth: int = 0) -> list[Function]:
    """The functions of one section of a broken text. It starts at ``start`` of that and is indented by ``indent``."""
    opening = _OPENING if indent else ""

    def read(text: str) -> tuple[bool, list[Function]]:
        parsed = parse(opening + text)
        shift = start - len(opening)
        return not parsed.tree.root_node.has_error, [_moved(each.function, shift) for each in _walk(parsed, place)]

    good, found = read(text)
    opens = _opens(indent).search(text) if not good else None
    if opens is None:
        return found
    if opens["name"] is None:
        if not found:  # Nothing but the head of a function is understood.
            found = [attrs.evolve(each, broken=True) for each in read(_blanked(text, opens.end()))[1]]
        return found
    inner = inner_indent(text)
    if inner is None or len(inner) <= len(indent) or depth == _DEEPEST:
        return found
    pieces = list(cut_at(text, list(section_starts(text, 0, inner))))
    broken = [at > 0 and parse(_OPENING + piece).tree.root_node.has_error for at, piece in pieces]
    kept = (_blanked(piece, len(inner)) if bad else piece for (_, piece), bad in zip(pieces, broken, strict=True))
    good, others = read("".join(kept))
    if not good:  # The head of the class is broken.
        return found
    qualified = place.qualify(opens["name"])
    within = _Place(qualified, place.nesting, qualified)
    for (at, piece), bad in zip(pieces, broken, strict=True):
        if bad:
            others += _recovered(piece, start + at, within, inner, depth + 1)
    return sorted(others, key=lambda function: function.header.start)


@lru_cache(64)
def _opens(indent: str) -> re.Pattern[str]:
    """What a section defines: the name of a class, or the whole head of a function on its line."""
    line = rf"(?:\A|(?<=[\r\n]))\f*{re.escape(indent)}"
    return re.compile(rf"{line}(?:class[ \t]+(?P<name>\w+)|(?:async[ \t]+)?def\b[^\r\n]*:[ \t]*(?=[\r\n]))")


def _blanked(text: str, start: int) -> str:
    """The text with an expression in the place of everything behind ``start``, as long as before."""
    end = "\n" if text.endswith(("\r", "\n")) else ""
    return (text[:start] + "0" + " " * (len(text) - start - 1 - len(end)) + end)[: len(text)]


def _moved(function: Function, by: int) -> Function:
    def moved(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    docstring = moved(function.docstring) if function.docstring is not None else None
    span, header, body = (moved(each) for each in (function.span, function.header, function.body))
    return attrs.evolve(function, span=span, header=header, docstring=docstring, body=body) if by else function


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
    parts = node.children
    colon = next((child for child in parts if child.type == ":"), None)
    header_end = parsed.offset(colon.end_byte) if colon is not None else body_span.start
    docstring = docstring_node(body)
    return Function(
        qualified_name=qualified,
        span=span,
        header=Span(start, max(start, header_end)),
        docstring=parsed.span(docstring) if docstring is not None else None,
        body=body_span,
        nesting=place.nesting,
        decorators=tuple(text_of(child)[1:].strip() for child in outer.children if child.type == "decorator"),
        is_async=any(child.type == "async" for child in parts),
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
    prefixes = {text_of(part.children[0]).rstrip("\"'").lower() for part in parts if part.children}
    return string if prefixes <= {"", "r", "u"} else None

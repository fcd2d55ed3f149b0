"""Local variables of a function, and the function with one of them made nameless.

The examples of variable-name prediction (Raychev et al. 2015, JSNice; Allamanis et al. 2014, Naturalize):
every use of one variable becomes a placeholder, and its name is what is to be told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.defects.scopes import analyse
from codehunch.syntax.functions import docstring_node, function_nodes
from codehunch.syntax.lexemes import LexemeKind, lexemes_of
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch.syntax.spans import Span

_RECEIVERS = {"self", "cls", "_", "__class__"}
_DECLARING = {"parameter_declaration", "init_declarator", "declaration"}
LONGEST_NAME = 40


@attrs.frozen
class Variable:
    """A local variable or parameter."""

    name: str
    uses: tuple[Span, ...]
    """Every place it stands in code, its binding included, in order; code points."""


def variables_of(parsed: ParsedSource, function: Node) -> list[Variable]:
    """Variables with at least two uses that are bound in one scope only, in the order of their first use.

    A name of several scopes may be several variables, so it is left out; so are receivers and a name that
    stands for nothing (``_``).
    """
    bound = Counter(_bound(parsed, function))
    uses: dict[str, list[Span]] = {}
    for lexeme in lexemes_of(parsed, function):
        if lexeme.kind == LexemeKind.NAME and bound[lexeme.text] == 1 and lexeme.text not in _RECEIVERS:
            uses.setdefault(lexeme.text, []).append(lexeme.span)
    return [
        Variable(name, tuple(spans)) for name, spans in uses.items() if len(spans) > 1 and len(name) <= LONGEST_NAME
    ]


def nameless(parsed: ParsedSource, function: Node, variable: Variable, placeholder: str) -> str:
    """The function's text with ``placeholder`` for every use of the variable.

    Comments and the docstring, where a name would be given away, have it replaced as a word. An attribute or
    a keyword of the same name stays: it belongs to someone else.
    """
    whole = parsed.span(function)
    spans = list(variable.uses)
    word = re.compile(rf"\b{re.escape(variable.name)}\b")
    for prose in _prose(parsed, function):
        spans.extend(
            Span(prose.start + found.start(), prose.start + found.end())
            for found in word.finditer(parsed.text[prose.start : prose.end])
        )
    out, at = [], whole.start
    for span in sorted(set(spans), key=lambda each: each.start):
        out += [parsed.text[at : span.start], placeholder]
        at = span.end
    return "".join([*out, parsed.text[at : whole.end]])


def nameless_functions(text: str, placeholder: str, language: str = "python") -> Iterator[tuple[str, str]]:
    """``(function with one variable nameless, its name)`` for each variable of each outermost function."""
    parsed = parse(text, language)
    end = -1
    for _, function in function_nodes(parsed):
        if function.start_byte < end:
            continue
        end = function.end_byte
        for variable in variables_of(parsed, function):
            yield nameless(parsed, function, variable, placeholder), variable.name


def _bound(parsed: ParsedSource, function: Node) -> Iterator[str]:
    """Each name once per scope that binds it."""
    if parsed.language == "python":
        seen = {(binding.name, binding.scope) for binding in analyse(function).bindings}
        yield from (name for name, _ in sorted(seen))
        return
    for node in _descendants(function):
        if node.type in _DECLARING:
            for child in node.children_by_field_name("declarator"):
                name = _declared(child)
                if name is not None and name.text is not None:
                    yield text_of(name)


def _declared(node: Node | None) -> Node | None:
    """The identifier a C declarator declares; an initialised one is found by its own node."""
    while node is not None and node.type != "identifier":
        if node.type in ("init_declarator", "function_declarator"):
            return None
        node = node.child_by_field_name("declarator")
    return node


def _prose(parsed: ParsedSource, function: Node) -> Iterator[Span]:
    body = function.child_by_field_name("body")
    docstring = docstring_node(body) if body is not None else None
    if docstring is not None:
        yield parsed.span(docstring)
    yield from (parsed.span(node) for node in _descendants(function) if node.type == "comment")


def _descendants(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))

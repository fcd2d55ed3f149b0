"""Defects of leaving something out: a call, a statement, an argument, a condition. No fix tries them.

``codehunch.defects.rewrites`` holds the rewrites that work in both directions. What is missing cannot be guessed
back from a few alternatives, so these have no place in the detector's search for fixes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import Rewrite, Slot
from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource, text_of
from codehunch.syntax.spans import Span

_PLAIN = {"identifier", "attribute"}
_SIMPLE = {"expression_statement", "return_statement", "raise_statement", "break_statement", "continue_statement"}
_NEVER_WRAPPED = {"print", "isinstance", "issubclass", "super", "type", "callable", "hasattr", "iter", "next", "id"}
_LONGEST = 120
"""Characters of a statement that is left out."""


def removal_slots(parsed: ParsedSource, function: Node) -> list[Slot]:
    """Slots of a function whose rewrite takes something away; each has exactly one rewrite."""
    found: list[Slot] = []
    stack = [function]
    while stack:
        node = stack.pop()
        kind = node.type
        if kind == "call":
            found.extend(_unwrapped(parsed, node))
            found.extend(_argument(parsed, node))
        elif kind == "block":
            found.extend(_statement(parsed, node))
        elif kind == "boolean_operator":
            found.extend(_condition(parsed, node))
        if kind not in ("type", "decorator", "comment", "string", "parameters"):
            stack.extend(node.named_children)
    return found


def _slot(parsed: ParsedSource, kind: str, anchor: int, cut: list[tuple[int, int]]) -> Slot:
    """A slot that cuts byte ranges and flags the lexeme at byte ``anchor``."""
    edits = tuple(Edit(Span(parsed.offset(start), parsed.offset(end)), "") for start, end in cut)
    at = parsed.offset(anchor)
    return Slot(kind, Span(at, at), (Rewrite(edits, (at,), ""),))


def _unwrapped(parsed: ParsedSource, call: Node) -> Iterator[Slot]:
    """``f(x)`` to ``x``, and ``x.f()`` to ``x``, where the value is used."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    parent = call.parent
    if (
        function is None
        or arguments is None
        or parent is None
        or parent.type in ("expression_statement", "await", "decorator")
    ):
        return
    given = arguments.named_children
    if function.type == "identifier" and len(given) == 1 and given[0].type in _PLAIN and arguments.child_count == 3:
        if text_of(function) not in _NEVER_WRAPPED:
            cut = [(call.start_byte, given[0].start_byte), (given[0].end_byte, call.end_byte)]
            yield _slot(parsed, "missing-call", given[0].start_byte, cut)
    elif function.type == "attribute" and not given and function.children[0].type in _PLAIN:
        owner = function.children[0]
        if owner.text not in (b"self", b"cls", b"super"):
            last = owner.children[-1] if owner.type == "attribute" else owner
            yield _slot(parsed, "missing-call", last.start_byte, [(owner.end_byte, call.end_byte)])


def _argument(parsed: ParsedSource, call: Node) -> Iterator[Slot]:
    """A call without its last argument; the called name is flagged."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or arguments is None or arguments.type != "argument_list" or function.type not in _PLAIN:
        return
    given = [child for child in arguments.named_children if child.type != "comment"]
    if len(given) < 2 or given[-1].type not in (*_PLAIN, "keyword_argument", "integer", "string", "true", "false"):
        return
    if given[-1].start_point.row != given[-2].end_point.row:
        return  # The cut must not take a line break and its comment with it.
    name = function.children[-1] if function.type == "attribute" else function
    yield _slot(parsed, "wrong-call", name.start_byte, [(given[-2].end_byte, given[-1].end_byte)])


def _statement(parsed: ParsedSource, block: Node) -> Iterator[Slot]:
    """A block without one of its simple statements; the statement behind it, or else before it, is flagged."""
    literal = docstring_node(block)
    holder = literal.parent if literal is not None else None
    statements = [child for child in block.children if child.type != ";" and (holder is None or child.id != holder.id)]
    for index, node in enumerate(statements):
        if node.type not in _SIMPLE or node.end_byte - node.start_byte > _LONGEST or len(statements) < 2:
            continue
        after = statements[index + 1] if index + 1 < len(statements) else None
        before = statements[index - 1] if index else None
        kind = _kind_of_removal(node)
        if kind is None:
            continue
        if after is not None and after.type != "comment" and after.start_point.row > node.end_point.row:
            yield _slot(parsed, kind, after.start_byte, [(node.start_byte, after.start_byte)])
        elif (
            after is None
            and before is not None
            and before.type in _SIMPLE
            and node.start_point.row > before.end_point.row
        ):
            yield _slot(parsed, kind, _last_leaf(before).start_byte, [(before.end_byte, node.end_byte)])


def _kind_of_removal(node: Node) -> str | None:
    if node.type == "return_statement":
        return "missing-return" if node.named_child_count else None
    if node.type == "raise_statement":
        return "missing-raise"
    if node.type == "expression_statement":
        inner = node.named_children[0] if node.named_children else None
        if inner is None or inner.type in ("string", "concatenated_string", "ellipsis", "yield"):
            return None
        if inner.type == "await":
            inner = inner.named_children[-1]
        if inner.type == "call":
            function = inner.child_by_field_name("function")
            name = (function.children[-1] if function is not None and function.children else function) or inner
            text = text_of(name)
            return None if text in ("print", "debug", "info", "warning", "warn", "error", "log") else "missing-call"
    return "wrong-statement"


def _last_leaf(node: Node) -> Node:
    while node.children:
        node = node.children[-1]
    return node


def _condition(parsed: ParsedSource, node: Node) -> Iterator[Slot]:
    """``a and b`` to ``a`` or to ``b``."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or left.type == "boolean_operator" or node.end_byte - node.start_byte > _LONGEST:
        return
    if left.end_point.row == right.start_point.row:
        yield _slot(parsed, "wrong-statement", _last_leaf(left).start_byte, [(left.end_byte, node.end_byte)])
        yield _slot(parsed, "wrong-statement", right.start_byte, [(node.start_byte, right.start_byte)])

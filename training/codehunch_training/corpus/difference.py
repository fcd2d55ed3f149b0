"""Where two versions of a Python function differ as programs: pairs of subtrees, layout and prose left out.

Comments, docstrings, annotations, quotes, redundant parentheses and trailing commas are no part of the
program here; versions that differ in these alone have no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import attrs
from tree_sitter import Node

from codehunch.syntax.functions import docstring_node

LARGEST_TREE = 4000
"""Syntax nodes; longer functions are not compared."""
_WHOLE = {"is not", "not in", "integer", "float", "escape_sequence"}
_DROPPED = {"comment", "line_continuation"}
_TRAILING_COMMA = {"argument_list", "list", "dictionary", "set", "parameters", "import_from_statement", "pattern_list"}
_ANNOTATED = {"typed_parameter", "typed_default_parameter", "function_definition", "assignment"}
STATEMENTS = frozenset(
    """expression_statement return_statement raise_statement assert_statement delete_statement pass_statement
    break_statement continue_statement if_statement for_statement while_statement try_statement with_statement
    function_definition class_definition decorated_definition import_statement import_from_statement
    global_statement nonlocal_statement print_statement exec_statement match_statement
    future_import_statement""".split()
)


class Item:
    """A syntax node reduced to its meaning; ``start`` and ``end`` are bytes in the file."""

    __slots__ = ("children", "end", "key", "start", "text", "type")

    def __init__(self, type_: str, start: int, end: int, children: list[Item], text: bytes = b"") -> None:
        self.type, self.start, self.end, self.children, self.text = type_, start, end, children, text
        self.key: int = hash((type_, tuple(child.key for child in children)) if children else (type_, text))

    def leaves(self) -> Iterator[Item]:
        """The item's tokens in source order."""
        stack = [self]
        while stack:
            item = stack.pop()
            if item.children:
                stack.extend(reversed(item.children))
            else:
                yield item

    @property
    def first(self) -> Item:
        return next(self.leaves())

    @property
    def last(self) -> Item:
        item = self
        while item.children:
            item = item.children[-1]
        return item


@attrs.frozen
class Change:
    """Items of the old version that became items of the new one; one side may be empty."""

    old: tuple[Item, ...]
    new: tuple[Item, ...]
    path: tuple[Item, ...]
    """The old version's items around the change, the function first and the direct parent last."""
    before: Item | None
    """The old sibling in front of the change, and the one behind it."""
    after: Item | None

    @property
    def parent(self) -> Item:
        return self.path[-1]

    @property
    def statement(self) -> Item:
        """The innermost statement that holds the change; a changed statement is its own."""
        if self.old and self.old[0].type in STATEMENTS:
            return self.old[0]
        return next((item for item in reversed(self.path) if item.type in STATEMENTS), self.path[0])


def reduce_node(node: Node) -> Item:
    """The program under a node. Raises RecursionError for hopelessly nested code."""
    type_ = node.type
    children = [] if type_ in _WHOLE else [child for child in node.children if child.type not in _DROPPED]
    if not children:
        return Item(type_, node.start_byte, node.end_byte, [], _leaf_text(node))
    if type_ == "parenthesized_expression":
        inner = [child for child in children if child.is_named]
        if len(inner) == 1:
            return reduce_node(inner[0])
    elif type_ == "string":
        return _string(node, children)
    elif type_ == "unary_operator" and children[-1].type in ("integer", "float") and children[0].type == "-":
        return Item(children[-1].type, node.start_byte, node.end_byte, [], node.text or b"")
    elif len(children) > (4 if type_ == "tuple" else 2) and children[-2].type == ",":
        if type_ == "tuple" or type_ in _TRAILING_COMMA:
            del children[-2]
    elif type_ == "block":
        skipped = docstring_node(node)
        holder = skipped.parent.id if skipped is not None and skipped.parent is not None else None
        children = [child for child in children if child.id != holder and not _is_stray_string(child)]
    if type_ in _ANNOTATED:
        children = _without_annotation(node, children)
        if type_ == "typed_parameter" and len(children) == 1:
            return reduce_node(children[0])
        if type_ == "typed_default_parameter":
            type_ = "default_parameter"
    return Item(type_, node.start_byte, node.end_byte, [reduce_node(child) for child in children])


def _leaf_text(node: Node) -> bytes:
    text = node.text or b""
    return b"!=" if text == b"<>" else text


def _string(node: Node, children: list[Node]) -> Item:
    opening = children[0].text or b""
    prefix = opening.rstrip(b"\"'").lower().replace(b"u", b"")
    if any(child.type == "interpolation" for child in children):
        start = Item("string_start", children[0].start_byte, children[0].end_byte, [], prefix)
        rest = [reduce_node(child) for child in children[1:] if child.type != "string_end"]
        return Item("string", node.start_byte, node.end_byte, [start, *rest])
    content = b"".join(child.text or b"" for child in children if child.type == "string_content")
    return Item("string", node.start_byte, node.end_byte, [], prefix + b'"' + content)


def _is_stray_string(statement: Node) -> bool:
    return (
        statement.type == "expression_statement"
        and statement.named_child_count == 1
        and statement.named_children[0].type in ("string", "concatenated_string")
    )


def _without_annotation(node: Node, children: list[Node]) -> list[Node]:
    field = "return_type" if node.type == "function_definition" else "type"
    annotation = node.child_by_field_name(field)
    if annotation is None:
        return children
    index = next(i for i, child in enumerate(children) if child.id == annotation.id)
    return children[: index - 1] + children[index + 1 :]  # The mark (: or ->) stands in front of it.


def differences(old: Item, new: Item) -> list[Change]:
    """The smallest changed subtrees, in source order; empty where both mean the same."""
    found: list[Change] = []
    if old.key != new.key:
        _compare(old, new, (), None, None, found)
    return found


def _compare(
    old: Item, new: Item, path: tuple[Item, ...], before: Item | None, after: Item | None, found: list[Change]
) -> None:
    if old.key == new.key:
        return
    alike = old.type == new.type and old.children and new.children
    if not alike or (path and (_holds(old, new.key) or _holds(new, old.key))):
        found.append(Change((old,), (new,), path or (old,), before, after))
        return
    inside = (*path, old)
    a, b = old.children, new.children
    head = 0
    while head < min(len(a), len(b)) and a[head].key == b[head].key:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail].key == b[-1 - tail].key:
        tail += 1
    stop_a, stop_b = len(a) - tail, len(b) - tail
    if stop_a - head == stop_b - head:
        for i in range(head, stop_a):
            _compare(a[i], b[i], inside, _at(a, i - 1), _at(a, i + 1), found)
        return
    matcher = SequenceMatcher(None, [x.key for x in a[head:stop_a]], [x.key for x in b[head:stop_b]], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        i1, i2, j1, j2 = i1 + head, i2 + head, j1 + head, j2 + head
        if i2 - i1 == j2 - j1 == 1:
            _compare(a[i1], b[j1], inside, _at(a, i1 - 1), _at(a, i2), found)
        else:
            found.append(Change(tuple(a[i1:i2]), tuple(b[j1:j2]), inside, _at(a, i1 - 1), _at(a, i2)))


def _at(items: Sequence[Item], index: int) -> Item | None:
    return items[index] if 0 <= index < len(items) else None


def _holds(outer: Item, key: int, depth: int = 4) -> bool:
    """Whether an item with this key lies a few levels below ``outer``: wrapping, not replacement."""
    level = outer.children
    for _ in range(depth):
        if any(child.key == key for child in level):
            return True
        level = [grandchild for child in level for grandchild in child.children]
        if len(level) > 60:
            return False
    return False

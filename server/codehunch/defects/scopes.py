"""Which local names a place in a function can see: what a misused variable could have been."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.syntax.parsing import text_of

_FUNCTION_LIKE = {"function_definition", "lambda"}
_COMPREHENSIONS = {"list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
_PARAMETER_LISTS = {"parameters", "lambda_parameters"}
_RECEIVERS = {"self", "cls", "_", "__class__"}


@attrs.frozen
class Binding:
    """A place that gives a local name a value."""

    name: str
    start: int
    """Byte offset."""
    order: int
    """Position in the order of evaluation, shared with the loads."""
    scope: int
    """Index of the scope that owns the name."""
    parameter: bool


@attrs.frozen
class Load:
    """A place that reads a name."""

    node: Node
    name: str
    order: int
    scope: int
    called: bool
    """Whether the name is called right here, ``name(...)``."""


@attrs.frozen
class Scopes:
    """Bindings and loads of one function, nested functions and comprehensions included."""

    bindings: tuple[Binding, ...]
    loads: tuple[Load, ...]
    parents: tuple[int, ...]
    """Parent of every scope; the outermost is its own parent."""

    def visible(self, load: Load) -> dict[str, Binding]:
        """Local names a load can see: bound in its own or an enclosing scope and evaluated earlier.
        Receivers (``self``, ``cls``) are no candidates."""
        scope = load.scope
        chain = {scope}
        while self.parents[scope] != scope:
            scope = self.parents[scope]
            chain.add(scope)
        found: dict[str, Binding] = {}
        for binding in self.bindings:
            if binding.scope in chain and binding.order < load.order and binding.name not in _RECEIVERS:
                found.setdefault(binding.name, binding)
        return found


def analyse(function: Node) -> Scopes:
    """Scopes of a Python ``function_definition``. A flow-insensitive reading, right for most code:
    a name bound on one branch counts as visible after it."""
    bindings: list[Binding] = []
    loads: list[Load] = []
    parents: list[int] = [0]
    # Roles: load, store, parameter; names under "type" and "import" are neither read nor bound here.
    # Keywords and punctuation, which are half of a tree, say nothing here.
    stack: list[tuple[Node, int, str, bool]]
    stack = [(child, 0, "load", False) for child in reversed(function.named_children)]
    while stack:
        node, scope, role, called = stack.pop()
        kind = node.type
        if kind == "identifier":
            name = text_of(node)
            if role == "load":
                loads.append(Load(node, name, len(bindings) + len(loads), scope, called))
            elif role in ("store", "parameter"):
                order = len(bindings) + len(loads)
                bindings.append(Binding(name, node.start_byte, order, scope, role == "parameter"))
            continue
        if kind in _FUNCTION_LIKE or kind in _COMPREHENSIONS:
            outer = scope
            parents.append(outer)
            scope = len(parents) - 1
            if kind == "function_definition":
                named = node.child_by_field_name("name")
                if named is not None:
                    order = len(bindings) + len(loads)
                    bindings.append(Binding(text_of(named), named.start_byte, order, outer, False))
            children = _in_evaluation_order(node)
            stack.extend(
                (child, scope, "load", False) for child in reversed(children) if not _is_name_field(node, child)
            )
            continue
        if kind == "class_definition":
            parents.append(scope)
            stack.extend((child, len(parents) - 1, "load", False) for child in reversed(node.named_children))
            continue
        children = node.named_children
        if not children:
            continue
        if kind in _WITH_ROLES:
            stack.extend(reversed(list(_roles(node, scope))))
        else:
            carried = _carried(kind, role)
            stack.extend([(child, scope, carried, False) for child in reversed(children)])
    return Scopes(tuple(bindings), tuple(loads), tuple(parents))


def _is_name_field(node: Node, child: Node) -> bool:
    named = node.child_by_field_name("name")
    return named is not None and child.id == named.id


def _in_evaluation_order(node: Node) -> list[Node]:
    """Comprehension clauses bind what the element before them reads."""
    if node.type not in _COMPREHENSIONS:
        return node.named_children
    clauses = [child for child in node.named_children if child.type == "for_in_clause"]
    return clauses + [child for child in node.named_children if child.type != "for_in_clause"]


_AS_TARGETS = ("tuple", "list", "list_splat", "parenthesized_expression")
_PATTERNS = frozenset(
    "as_pattern_target pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern".split()
)
_IMPORTS = frozenset("import_statement import_from_statement aliased_import dotted_name".split())
_UNREAD = frozenset("global_statement nonlocal_statement type decorator".split())
_WITH_ROLES = frozenset(
    """attribute keyword_argument named_expression call assignment augmented_assignment for_statement for_in_clause
    default_parameter typed_default_parameter typed_parameter""".split()
)
"""Nodes whose parts play different roles."""


def _roles(node: Node, scope: int) -> Iterator[tuple[Node, int, str, bool]]:
    kind = node.type
    children = node.named_children
    if kind in ("attribute", "keyword_argument", "named_expression"):
        if kind == "attribute":
            yield children[0], scope, "load", False
        elif kind == "keyword_argument":
            yield from ((child, scope, "load", False) for child in children[1:])
        else:
            yield from ((child, scope, "load", False) for child in children[1:])
            yield children[0], scope, "store", False
    elif kind == "call":
        yield children[0], scope, "load", children[0].type == "identifier"
        yield from ((child, scope, "load", False) for child in children[1:])
    elif kind in ("assignment", "augmented_assignment"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        typed = node.child_by_field_name("type")
        if right is not None:
            yield right, scope, "load", False
        if typed is not None:
            yield typed, scope, "type", False
        if left is not None:
            yield left, scope, "store", False
    elif kind in ("for_statement", "for_in_clause"):
        target, iterable = node.child_by_field_name("left"), node.child_by_field_name("right")
        ahead = [child for child in (iterable, target) if child is not None]
        taken = {child.id for child in ahead}
        for child in (*ahead, *(child for child in children if child.id not in taken)):
            yield child, scope, "store" if target is not None and child.id == target.id else "load", False
    else:
        for index, child in enumerate(children):
            yield child, scope, ("parameter" if index == 0 else "type" if child.type == "type" else "load"), False


def _carried(kind: str, role: str) -> str:
    """The role of all that stands below any other node. ``as (a, b)`` stands in the tree as a tuple, not as a
    pattern."""
    if kind in _PATTERNS:
        return "parameter" if role == "parameter" else "store"
    if kind in _PARAMETER_LISTS:
        return "parameter"
    if kind in _IMPORTS:
        return "import"
    if kind in _UNREAD:
        return "type"
    return role if role in ("type", "import") or (role == "store" and kind in _AS_TARGETS) else "load"

"""Reading what a file binds, section by section: a broken one takes no name away from the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from tree_sitter import Node

from codehunch.defects.line_bindings import PROPERTY, members_in_lines, of_lines, opens_class, with_globals
from codehunch.defects.surroundings import Class, Standing, Surroundings, merged
from codehunch.syntax import statements
from codehunch.syntax.parsing import parse, text_of
from codehunch.syntax.sections import cut_at, section_starts

BLOCKS = statements.BLOCKS | {"module", "ERROR"}
"""What holds statements of the level it stands on itself, in a text that may be broken."""
_STORED = {"assignment": "left", "augmented_assignment": "left", "for_statement": "left", "named_expression": "name"}
_LOOKED_INTO = BLOCKS | frozenset(
    """expression_statement with_clause with_item as_pattern parenthesized_expression named_expression assignment
    augmented_assignment comparison_operator boolean_operator not_operator call argument_list""".split()
)
TARGETS = frozenset(
    """pattern_list tuple_pattern list_pattern list_splat_pattern list_splat as_pattern_target tuple list type
    parenthesized_expression expression_list""".split()
)
"""What the target of an assignment can be that holds others."""
_AS_MEMBER = {Standing.VARIABLE: Standing.FIELD, Standing.IMPORT: Standing.FIELD, Standing.CLASS: Standing.FIELD}


def surroundings_of(text: str) -> Surroundings:
    """What the outermost level of a Python text binds."""
    return merged(of_section(section) for _, section in cut_at(text, list(section_starts(text))))


def of_section(text: str) -> Surroundings:
    """What one section of a text binds: by its syntax tree, or by its lines where it is broken."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    root = parse(text).tree.root_node
    if root.has_error:
        return of_lines(text)
    classes: dict[str, Class] = {}
    names, opened = _level(root, "", classes)
    return with_globals(text, names, classes, opened)


def _level(top: Node, prefix: str, classes: dict[str, Class]) -> tuple[dict[str, Standing], bool]:
    """What a level binds, blocks in it included, and whether a star import opens it. ``prefix`` is the qualified name
    of the class that it is, with a dot; classes on it are added to ``classes``."""
    names: dict[str, Standing] = {}
    opened = False
    stack = [top]
    while stack:
        node = stack.pop()
        kind = node.type
        bound: Sequence[str] = ()
        standing = Standing.VARIABLE
        if kind in _LOOKED_INTO:
            stored = _STORED.get(kind)
            bound = targets_of(node.child_by_field_name(stored)) if stored else ()
            stack.extend(reversed(node.children))
        elif kind == "decorated_definition":
            decorators = [text_of(child) for child in node.children if child.type == "decorator"]
            inner = node.child_by_field_name("definition")
            if inner is not None:
                bound, standing = _definition(inner, decorators, prefix, classes)
        elif kind in ("function_definition", "class_definition"):
            bound, standing = _definition(node, (), prefix, classes)
        elif kind in ("import_statement", "import_from_statement", "future_import_statement"):
            bound, standing = imported_names(node), Standing.IMPORT
            opened = opened or "*" in bound
        elif kind == "type_alias_statement":
            bound, standing = list(islice(identifiers(node), 1)), Standing.CLASS
        elif kind == "as_pattern_target":
            bound = targets_of(node)
        elif kind == "case_pattern":
            bound = [*identifiers(node)]
        for name in bound:
            names.setdefault(name, standing)
    return names, opened


def _definition(
    node: Node, decorators: Sequence[str], prefix: str, classes: dict[str, Class]
) -> tuple[Sequence[str], Standing]:
    """The name that a function or a class has, and how it stands."""
    name = text_of(node.child_by_field_name("name"))
    bound = (name,) if name else ()
    if node.type == "class_definition":
        if name:
            _read_class(node, f"{prefix}{name}", classes)
        return bound, Standing.CLASS
    coroutine = any(child.type == "async" for child in node.children)
    if not prefix:
        return bound, Standing.COROUTINE if coroutine else Standing.FUNCTION
    if any(PROPERTY.search(decorator) for decorator in decorators):
        return bound, Standing.PROPERTY
    return bound, Standing.COROUTINE_METHOD if coroutine else Standing.METHOD


def _read_class(node: Node, qualified: str, classes: dict[str, Class]) -> None:
    body = node.child_by_field_name("body")
    bound = _level(body, f"{qualified}.", classes)[0] if body is not None else {}
    members = {name: _AS_MEMBER.get(standing, standing) for name, standing in bound.items()}
    text = text_of(node)
    bases, closed = [], not opens_class(text)
    listed = node.child_by_field_name("superclasses")
    for base in listed.named_children if listed is not None else ():
        if base.type in ("identifier", "attribute"):
            bases.append(text_of(base))
        elif base.type != "comment":  # A call, a subscript or a keyword such as ``metaclass``.
            closed = False
    classes[qualified] = Class(members | members_in_lines(text, members), tuple(bases), closed)


def imported_names(node: Node) -> list[str]:
    """The names that an import binds; ``*`` where it binds all of another module's."""
    found = []
    module = node.child_by_field_name("module_name")
    for child in node.children:
        if child.type == "wildcard_import":
            found.append("*")
        elif child.type == "aliased_import":
            found.append(text_of(child.child_by_field_name("alias")))
        elif child.type == "dotted_name" and (module is None or child.id != module.id):
            found.append(text_of(child).partition(".")[0])
    return found


def targets_of(target: Node | None) -> list[str]:
    """The names that an assignment to ``target`` binds."""
    found, stack = [], [target] if target is not None else []
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            found.append(text_of(node))
        elif node.type in TARGETS:
            stack.extend(node.named_children)
    return found


def type_parameters(node: Node) -> list[str]:
    """The names of types that a function or class of PEP 695 is made for, as ``T`` in ``def first[T](...)``."""
    listed = node.child_by_field_name("type_parameters")
    named = listed.named_children if listed is not None else ()
    return [name for each in named for name in islice(identifiers(each), 1)]


def identifiers(node: Node) -> Iterator[str]:
    """Every name below a node, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type == "identifier":
            yield text_of(current)
        stack.extend(reversed(current.named_children))

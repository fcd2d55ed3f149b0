"""How every name of a function stands in its file: what the model is told beside the text.

What the name means is still its own to judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from tree_sitter import Node

from codehunch.defects.assignment import unassigned
from codehunch.defects.bindings import BLOCKS, identifiers, imported_names, type_parameters
from codehunch.defects.liveness import unread
from codehunch.defects.members import common_members
from codehunch.defects.scopes import Scopes, analyse
from codehunch.defects.surroundings import Around, Standing
from codehunch.syntax.lexemes import Lexeme, LexemeKind
from codehunch.syntax.parsing import ParsedSource, text_of

# Asked of every lexeme, and members of an enumeration are slow to look up.
_NAME, _ATTRIBUTE, _OTHER = LexemeKind.NAME, LexemeKind.ATTRIBUTE, LexemeKind.OTHER


def standings(
    lexemes: Sequence[Lexeme], parsed: ParsedSource, definition: Node, around: Around, scopes: Scopes | None = None
) -> list[Standing]:
    """How each lexeme of a function stands. ``definition`` is its ``function_definition`` node, ``scopes`` are its own,
    for those who have them."""
    file, class_name = around.surroundings, around.class_name
    own = bound_names(definition, scopes or analyse(definition))
    told = dict.fromkeys(unread(definition), Standing.UNREAD) | unassigned(definition)
    flow = {parsed.offset(byte): standing for byte, standing in told.items()}
    body, name = definition.child_by_field_name("body"), definition.child_by_field_name("name")
    # A method does not see the names of its class; its header does, and what the class itself computes.
    body_start = parsed.offset(body.start_byte) if body is not None else len(parsed.text)
    name_start = parsed.offset(name.start_byte) if name is not None else -1
    found: list[Standing] = []
    importing = False
    common = common_members()
    for at, lexeme in enumerate(lexemes):
        standing = Standing.UNKNOWN
        kind = lexeme.kind
        if not lexeme.text:
            importing = False
        elif kind is _OTHER:
            # Not in ``raise ... from`` and ``yield from``, which stand within a line.
            importing = importing or (lexeme.text in ("import", "from") and (not at or not lexemes[at - 1].text))
        elif kind is _NAME and not importing and lexeme.span.start != name_start:
            local = flow.get(lexeme.span.start, Standing.LOCAL)
            standing = local if lexeme.text in own else file.of_name(lexeme.text)
            if standing in (Standing.UNBOUND, Standing.FROM_STAR) and class_name is not None:
                member = file.of_member(class_name, lexeme.text)
                if Standing.METHOD <= member <= Standing.FIELD:
                    standing = member if lexeme.span.start < body_start else Standing.UNBOUND_MEMBER
        elif kind is _ATTRIBUTE and at >= 2 and (at < 3 or lexemes[at - 3].text != "."):
            owner = lexemes[at - 2]
            if owner.text in ("self", "cls"):
                if class_name is not None and class_name in file.classes:
                    standing = file.of_member(class_name, lexeme.text)
            elif owner.kind is _NAME and owner.text in file.classes and owner.text not in own:
                standing = file.of_member(owner.text, lexeme.text)
        if kind is _ATTRIBUTE and standing is Standing.UNKNOWN and lexeme.text not in common:
            standing = Standing.RARE
        found.append(standing)
    return found


def bound_names(definition: Node, scopes: Scopes) -> frozenset[str]:
    """Names that a function with these ``scopes``, or one inside it, binds: parameters, assignments, imports, classes,
    patterns."""
    parent = definition.parent
    decorated = parent is not None and parent.type == "decorated_definition"
    decorators = [child for child in parent.children if child.type == "decorator"] if parent and decorated else []
    found = {binding.name for each in (scopes, *map(analyse, decorators)) for binding in each.bindings}
    stack = [definition]
    while stack:
        node = stack.pop()
        if node.type in ("import_statement", "import_from_statement"):
            found.update(imported_names(node))
        elif node.type in ("function_definition", "class_definition"):
            found.update(type_parameters(node))
            if node.type == "class_definition":
                found.add(text_of(node.child_by_field_name("name")))
        elif node.type == "type_alias_statement":  # With the types that it is made for, which only it sees.
            found.update(identifiers(node.named_children[0]))
        elif node.type == "case_pattern":
            found.update(identifiers(node))
        elif node.type == "except_clause":  # ``except Error, error:`` of Python 2.
            found.update(text_of(child) for child in node.children[3:] if child.type == "identifier")
        if node.type in BLOCKS or node.type in ("function_definition", "class_definition", "decorated_definition"):
            stack.extend(node.named_children)
    return frozenset(found)

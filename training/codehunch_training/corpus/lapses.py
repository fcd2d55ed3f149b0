"""Injected lapses: a function without something that it needs, or with a value that goes nowhere.

Each gives an ``Injected`` as ``corpus.injection`` does, or ``None`` where the function has nothing of the kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import attrs
from tree_sitter import Node

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import apply
from codehunch.defects.scopes import analyse
from codehunch.defects.standings import standings
from codehunch.defects.surroundings import Around, Standing
from codehunch.syntax.lexemes import Lexeme, lexemes_of
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch.syntax.spans import Span
from codehunch_training.corpus.injection import Injected, definition, inner_definition
from codehunch_training.corpus.misspelling import misspelling


def lapse(parsed: ParsedSource, node: Node, around: Around, rng: random.Random) -> Injected | None:
    """One of them, drawn by chance."""
    (drawn,) = rng.choices(list(LAPSES), list(LAPSES.values()))
    return drawn(parsed, node, around, rng)


def forget_binding(parsed: ParsedSource, node: Node, around: Around, rng: random.Random) -> Injected | None:
    """The same function in a file that has lost the import or definition of one of its names."""
    inner = inner_definition(node)
    lexemes = lexemes_of(parsed, node)
    uses: dict[str, dict[int, str]] = {}
    for lexeme, standing in zip(lexemes, standings(lexemes, parsed, inner, around), strict=True):
        if standing in _FORGETTABLE:
            uses.setdefault(lexeme.text, {})[lexeme.span.start] = "variable-misuse"
    if not uses:
        return None
    name = rng.choice(sorted(uses))
    file = around.surroundings
    names = {each: standing for each, standing in file.names.items() if each != name}
    classes = {each: held for each, held in file.classes.items() if each != name}
    left = attrs.evolve(around, surroundings=attrs.evolve(file, names=names, classes=classes, open=False))
    return Injected(parsed.text, parsed, node, uses[name], {}, left)


def forget_assignment(parsed: ParsedSource, node: Node, around: Around, rng: random.Random) -> Injected | None:
    """The same function without one of its assignments, where that leaves reads of the name without a value."""
    statements = _plain_assignments(inner_definition(node))
    if not statements:
        return None
    name, gone = rng.choice(statements)
    following, before = gone.next_named_sibling, gone.prev_named_sibling
    start, end = parsed.offset(gone.start_byte), parsed.offset(gone.end_byte)
    if following is not None:
        end = parsed.offset(following.start_byte)
    elif before is not None:
        start = parsed.offset(before.end_byte)
    else:
        return None
    made = _changed(parsed, Edit(Span(start, end), ""), {}, {})
    if made is None:
        return None
    labels = {
        lexeme.span.start: "variable-misuse"
        for lexeme, standing in _standing(made, around)
        if lexeme.text == name and standing in _WITHOUT_VALUE
    }
    return attrs.evolve(made, labels=labels) if labels else None


def _plain_assignments(function: Node) -> list[tuple[str, Node]]:
    """Statements ``name = value`` of a function itself, the first of each name."""
    found: dict[str, Node] = {}
    stack = [function.child_by_field_name("body")]
    while stack:
        node = stack.pop()
        if node is None or node.type in ("function_definition", "class_definition"):
            continue
        only = node.named_children[0] if node.type == "expression_statement" and node.named_child_count else None
        left = only.child_by_field_name("left") if only is not None and only.type == "assignment" else None
        if left is not None and left.type == "identifier" and only is not None and only.child_by_field_name("right"):
            found.setdefault(text_of(left), node)
        stack.extend(reversed(node.named_children))
    return list(found.items())


_WITHOUT_VALUE = (Standing.UNASSIGNED, Standing.PERHAPS_UNASSIGNED, Standing.UNBOUND, Standing.FROM_STAR)
_FORGETTABLE = (Standing.IMPORT, Standing.FUNCTION, Standing.COROUTINE, Standing.CLASS, Standing.VARIABLE)


_MISSPELT = 0.6
"""Of the targets that go astray, the ones with a slip in them; the others are another variable."""


def stray_target(parsed: ParsedSource, node: Node, around: Around, rng: random.Random) -> Injected | None:
    """The same function with another name in one of its assignments, where nothing reads the value then."""
    scopes = analyse(inner_definition(node))
    stored = [binding for binding in scopes.bindings if not binding.parameter and len(binding.name) > 1]
    times = Counter(binding.name for binding in scopes.bindings)
    read = {load.name for load in scopes.loads}
    # One that is bound but here would leave its reads without a value as well: that is another lapse.
    stray = [binding for binding in stored if times[binding.name] > 1 and binding.name in read]
    if not stray:
        return None
    chosen = rng.choice(stray)
    start = parsed.offset(chosen.start)
    span = Span(start, start + len(chosen.name))
    if len(chosen.name) >= 4 and rng.random() < _MISSPELT:
        name = misspelling(chosen.name, rng)
    else:
        name = rng.choice(sorted(times.keys() - {chosen.name}) or [chosen.name])
    if span.of(parsed.text) != chosen.name or name == chosen.name:
        return None
    made = _changed(parsed, Edit(span, name), {start: "variable-misuse"}, {start: chosen.name})
    if made is None:
        return None
    stands = {lexeme.span.start: standing for lexeme, standing in _standing(made, around) if lexeme.text}
    return made if stands.get(start) in _WITHOUT_USE else None


def forget_call(parsed: ParsedSource, node: Node, around: Around, rng: random.Random) -> Injected | None:
    """The same function with a statement ``close()`` that has become ``close``."""
    found = []
    stack = [inner_definition(node)]
    while stack:
        current = stack.pop()
        only = current.named_children[0] if current.type == "expression_statement" and current.named_children else None
        function = only.child_by_field_name("function") if only is not None and only.type == "call" else None
        arguments = only.child_by_field_name("arguments") if function is not None and only is not None else None
        if function is not None and arguments is not None and text_of(arguments) == "()":
            name = function.children[-1] if function.type == "attribute" else function
            if name.type == "identifier":
                found.append((name, arguments))
        stack.extend(current.named_children)
    if not found:
        return None
    name, arguments = rng.choice(found)
    labels = {parsed.offset(name.start_byte): "missing-call-parentheses"}
    return _changed(parsed, Edit(parsed.span(arguments), ""), labels, {})


def _changed(parsed: ParsedSource, edit: Edit, labels: dict[int, str], originals: dict[int, str]) -> Injected | None:
    """The function after an edit, which leaves what is before it where it is, or ``None`` where it is broken then."""
    changed = parse(apply(parsed.text, [edit]))
    found = definition(changed)
    if found is None or (changed.tree.root_node.has_error and not parsed.tree.root_node.has_error):
        return None
    return Injected(changed.text, changed, found, labels, originals)


def _standing(made: Injected, around: Around) -> Iterator[tuple[Lexeme, Standing]]:
    """Every lexeme of a changed function and how it stands in the file."""
    lexemes = lexemes_of(made.parsed, made.node)
    return zip(lexemes, standings(lexemes, made.parsed, inner_definition(made.node), around), strict=True)


_WITHOUT_USE = (Standing.UNREAD, Standing.UNASSIGNED)
"""How a name stands that gets a value nothing reads; ``+=`` reads one that is not there first."""
LAPSED = 0.14
"""How many of the functions with one defect have one of these, where their file is known."""
LAPSES = {forget_binding: 0.37, forget_assignment: 0.2, stray_target: 0.35, forget_call: 0.08}
"""How often each is tried; many functions have no place for the last two."""

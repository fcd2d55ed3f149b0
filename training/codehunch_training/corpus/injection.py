"""Injected defects: small rewrites of clean functions, drawn so that they resemble people's mistakes."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import attrs
from tree_sitter import Node

from codehunch.defects.arguments import argument_slots
from codehunch.defects.findings import Edit
from codehunch.defects.repairs import OF_NAMES
from codehunch.defects.rewrites import Rewrite, Slot, apply, moved, slots, variable_slots
from codehunch.defects.scopes import Scopes, analyse
from codehunch.defects.slips import SHORTEST, corrections
from codehunch.defects.surroundings import Around, words_of
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.spans import Span
from codehunch_training.corpus.misspelling import misspelling, strange_name

KIND_WEIGHTS: Mapping[str, float] = {
    "variable-misuse": 5.0,
    "wrong-attribute": 2.0,
    "wrong-comparison": 2.0,
    "wrong-negation": 2.0,
    "wrong-boolean-operator": 1.5,
    "wrong-binary-operator": 1.5,
    "argument-swap": 1.5,
    "wrong-call": 1.5,
    "wrong-literal": 1.0,
    "off-by-one": 1.0,
    "missing-return": 0.8,
    "missing-await": 1.0,
    "missing-raise": 0.5,
    "missing-self": 0.4,
    "missing-f-prefix": 0.5,
    "missing-call-parentheses": 0.5,
    "missing-argument": 1.5,
    "missing-star": 0.4,
}
"""How often each kind is drawn, in the order of frequency that mined histories show: variable misuse
first by far, then attributes, comparisons and negations."""


@attrs.frozen
class Injected:
    """A changed function and where it is wrong."""

    text: str
    parsed: ParsedSource
    node: Node
    """The (decorated) definition in the changed text."""
    labels: dict[int, str]
    """Offset of each wrong lexeme in the changed text -> kind name."""
    originals: dict[int, str]
    """The same offsets -> what stood there before, where one lexeme was replaced by another."""
    around: Around | None = None
    """What the file binds, where the defect is a name that it does not bind any more."""


_LATER = 0.4
"""Of variables that become such a name, those that become one that is bound further down."""
_STRANGE = 0.25
"""How many names of the kinds above become ones that the function does not have. Of real bugs with a wrong name that a
function gives away, a quarter is misspelt or bound nowhere."""


def definition(parsed: ParsedSource) -> Node | None:
    """The first function of a text that holds one function, decorators included."""
    for _, node in function_nodes(parsed):
        parent = node.parent
        return parent if parent is not None and parent.type == "decorated_definition" else node
    return None


def inner_definition(node: Node) -> Node:
    """The ``function_definition`` inside a decorated one."""
    if node.type == "decorated_definition":
        inner = node.child_by_field_name("definition")
        return inner if inner is not None else node
    return node


def draw(
    candidates: Sequence[Slot], count: int, rng: random.Random, weights: Mapping[str, float] = KIND_WEIGHTS
) -> list[tuple[Slot, Rewrite]]:
    """Up to ``count`` slots whose edits do not overlap, each with one of its rewrites.

    A slot is drawn with its kind's weight divided by the slots of the kind, so that frequent slots
    (names) do not drown rare ones (``and``); a light pull back to frequency keeps rare ones rare.
    """
    per_kind: dict[str, int] = {}
    for slot in candidates:
        per_kind[slot.kind] = per_kind.get(slot.kind, 0) + 1
    keyed = sorted(
        candidates,
        key=lambda slot: rng.random() ** (per_kind[slot.kind] ** 0.5 / max(1e-6, weights.get(slot.kind, 0.0))),
        reverse=True,
    )
    chosen: list[tuple[Slot, Rewrite]] = []
    taken: list[Edit] = []
    for slot in keyed:
        if len(chosen) >= count or weights.get(slot.kind, 0.0) <= 0:
            break
        # Nearer names come first in the list, and are likelier mistakes.
        rewrite = slot.rewrites[min(int(rng.expovariate(0.45)), len(slot.rewrites) - 1)]
        if any(_touch(a, b) for a in rewrite.edits for b in taken):
            continue
        chosen.append((slot, rewrite))
        taken.extend(rewrite.edits)
    return chosen


def with_strange_names(
    chosen: Sequence[tuple[Slot, Rewrite]], parsed: ParsedSource, scopes: Scopes, rng: random.Random
) -> list[tuple[Slot, Rewrite]]:
    """What was drawn, with names that stand nowhere in the function for some of those that do, or that get their value
    only later."""
    text = parsed.text
    known = words_of(text)
    found = []
    for slot, rewrite in chosen:
        span = rewrite.edits[0].span
        if slot.kind in OF_NAMES and span.of(text).isidentifier() and rng.random() < _STRANGE:
            later = (
                _bound_later(parsed, scopes, span) if slot.kind == "variable-misuse" and rng.random() < _LATER else []
            )
            name = rng.choice(later) if later else strange_name(span.of(text), rng, slot.kind == "variable-misuse")
            if name is not None and (later or name not in known):
                rewrite = attrs.evolve(rewrite, edits=(Edit(span, name),), label=name)
        elif slot.kind == "wrong-literal" and rng.random() < _STRANGE:
            word = span.of(text)[1:-1]
            slip = misspelling(word, rng) if len(word) >= SHORTEST and word.isidentifier() else word
            # That a key is misspelt shows in its words, or where the function spells it right elsewhere.
            if slip != word and (corrections(slip) or len(re.findall(rf"\b{word}\b", text)) > 1):
                quoted = f"{text[span.start]}{slip}{text[span.end - 1]}"
                rewrite = attrs.evolve(rewrite, edits=(Edit(span, quoted),), label=quoted)
        found.append((slot, rewrite))
    return found


def _bound_later(parsed: ParsedSource, scopes: Scopes, span: Span) -> list[str]:
    """Names of the scope around that are bound behind the place which reads another one."""
    for load in scopes.loads:
        if parsed.offset(load.node.start_byte) == span.start:
            visible = scopes.visible(load)
            same = (binding for binding in scopes.bindings if binding.scope == load.scope)
            return sorted({each.name for each in same if each.order > load.order} - visible.keys() - {load.name})
    return []


def _touch(a: Edit, b: Edit) -> bool:
    return a.span.start <= b.span.end and b.span.start <= a.span.end


def inject(parsed: ParsedSource, node: Node, count: int, rng: random.Random) -> Injected | None:
    """A copy of the function with up to ``count`` defects, or ``None`` where no draw still parses.

    ``parsed`` holds one function (``node``: its definition). The result always differs from the
    original and never holds a syntax error the original did not have.
    """
    inner = inner_definition(node)
    scopes = analyse(inner)
    candidates = [*slots(parsed, inner, scopes), *argument_slots(parsed, inner, scopes)]
    return _changed(parsed, with_strange_names(draw(candidates, count, rng), parsed, scopes, rng))


def misuse(parsed: ParsedSource, node: Node, rng: random.Random) -> Injected | None:
    """A copy of the function where one variable that is read became another one that has a value there, place and
    variable drawn evenly: how published sets of variable misuse are made (Vasic et al. 2019; Hellendoorn et al. 2020),
    but for variables that are bound further down. ``None`` where there are no two variables."""
    scopes = analyse(inner_definition(node))
    candidates = [*variable_slots(parsed, scopes, most=len(scopes.bindings))]
    if not candidates:
        return None
    slot = rng.choice(candidates)
    return _changed(parsed, [(slot, rng.choice(slot.rewrites))])


def _changed(parsed: ParsedSource, chosen: Sequence[tuple[Slot, Rewrite]]) -> Injected | None:
    if not chosen:
        return None
    edits = [edit for _, rewrite in chosen for edit in rewrite.edits]
    text = apply(parsed.text, edits)
    changed = parse(text)
    found = definition(changed)
    if (
        text == parsed.text
        or found is None
        or (changed.tree.root_node.has_error and not parsed.tree.root_node.has_error)
    ):
        return None
    labels: dict[int, str] = {}
    originals: dict[int, str] = {}
    for slot, rewrite in chosen:
        for anchor in rewrite.anchors:
            labels[moved(anchor, edits)] = slot.kind
        if len(rewrite.edits) == 1 and rewrite.edits[0].content and len(rewrite.edits[0].span):
            originals[moved(rewrite.anchors[0], edits)] = rewrite.edits[0].span.of(parsed.text)
    return Injected(text, changed, found, labels, originals)

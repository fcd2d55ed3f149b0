"""From a suspicious place and a kind to the edits that could mend it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import attrs

from codehunch.defects.arguments import forgotten_arguments, forgotten_stars, waiting_names
from codehunch.defects.findings import Edit
from codehunch.defects.members import common_members
from codehunch.defects.rewrites import Rewrite, variable_slots
from codehunch.defects.slips import corrections
from codehunch.defects.spelling import Lexicon, misspelt
from codehunch.defects.surroundings import BUILTINS, OF_PYTHON_2, Standing
from codehunch.defects.units import Unit
from codehunch.syntax.lexemes import Lexeme, LexemeKind
from codehunch.syntax.spans import Span

INSERTIONS = {
    "missing-return": "return ",
    "missing-await": "await ",
    "missing-raise": "raise ",
    "missing-self": "self.",
    "missing-f-prefix": "f",
}
"""Kinds that are mended by writing something before the flagged lexeme."""


def repairs(unit: Unit, at: int, kind: str) -> list[Rewrite]:
    """Rewrites that would undo a defect of ``kind`` at lexeme number ``at``; none where none is known."""
    lexeme = unit.lexemes[at]
    if kind in INSERTIONS:
        return [_everywhere(unit, at, each) for each in _insertion(unit, at, kind)]
    if kind == "wrong-negation":
        return [_negation(unit.lexemes, at)]
    if kind == "missing-call-parentheses":
        end = lexeme.span.end
        return [Rewrite((Edit(Span(end, end), "()"),), (lexeme.span.start,), f"{lexeme.text}()")]
    if unit.definition is None:
        return []
    if kind == "missing-star":
        return forgotten_stars(unit.parsed, unit.definition, lexeme.span.start)
    if kind == "missing-argument":
        return forgotten_arguments(unit.parsed, unit.definition, unit.scopes, lexeme.span.start)
    variable = kind == "variable-misuse"
    others = [
        rewrite
        for slot in (variable_slots(unit.parsed, unit.scopes, lexeme.span.start) if variable else unit.slots_of(kind))
        for rewrite in slot.rewrites
        if lexeme.span.start in rewrite.anchors
    ]
    if kind == "wrong-literal":
        waiting = waiting_names(unit.parsed, unit.definition, unit.scopes, lexeme.span.start)
        return [*waiting, *_respelt(unit, at), *others]
    if kind not in OF_NAMES:
        return others
    names = _spelt_alike(unit, at)
    if variable and not others:
        names += _in_sight(unit, lexeme)
    spelt = [_replaced(lexeme, name) for name in dict.fromkeys(names)]
    found = spelt + [rewrite for rewrite in others if rewrite.label not in names]
    return [_everywhere(unit, at, each) for each in found]


def _everywhere(unit: Unit, at: int, rewrite: Rewrite) -> Rewrite:
    """The rewrite of a name that nothing binds, at all places of the function where that stands: what is wrong with one
    is wrong with the others. A rewrite of more than the name stays as it is."""
    own = unit.lexemes[at]
    if own.kind is not LexemeKind.NAME or not is_unbound(unit, at) or len(rewrite.edits) != 1:
        return rewrite
    (edit,) = rewrite.edits
    if edit.span not in (own.span, Span(own.span.start, own.span.start)):
        return rewrite
    same = [
        each.span.start
        for each, standing in zip(unit.lexemes, unit.standings, strict=True)
        if each.text == own.text and each.kind is own.kind and standing == unit.standings[at]
    ]
    edits = tuple(Edit(Span(start, start + len(edit.span)), edit.content) for start in same)
    return attrs.evolve(rewrite, edits=edits, anchors=tuple(same))


def imported(unit: Unit, at: int) -> tuple[Rewrite, Unit] | None:
    """The unit as it would stand in a file that imports the name at lexeme number ``at``, where nothing binds that."""
    if not unit.standings or unit.standings[at] != Standing.UNBOUND:
        return None
    lexeme = unit.lexemes[at]
    return Rewrite((), (lexeme.span.start,), lexeme.text), unit.importing(lexeme.text)


def _replaced(lexeme: Lexeme, name: str) -> Rewrite:
    return Rewrite((Edit(lexeme.span, name),), (lexeme.span.start,), name)


def _spelt_alike(unit: Unit, at: int) -> list[str]:
    """Names that this one could be a misspelling of: others of the function, what its file binds where that does not
    bind this one, attributes that everybody uses, and what words that nobody uses may stand for."""
    own = unit.lexemes[at]
    if own.kind not in (LexemeKind.NAME, LexemeKind.ATTRIBUTE):
        return []
    attribute = own.kind is LexemeKind.ATTRIBUTE
    if attribute and own.text in common_members():
        return []
    here = dict.fromkeys(lexeme.text for lexeme in unit.lexemes if lexeme.kind in _NAME_KINDS)
    alike = [name for name in here if misspelt(own.text, name)]
    alike += sorted(_of_the_file(unit, at))
    if (successor := successor_of(unit, at)) is not None:
        alike.append(successor)
    if attribute:
        alike += _members_alike(own.text)
    return [*alike, *corrections(own.text)] if unit.around is not None and is_strange(unit, at) else alike


def is_strange(unit: Unit, at: int) -> bool:
    """Whether a lexeme is a name that the file does not bind, or an attribute that few use."""
    own = unit.lexemes[at]
    return (own.kind is LexemeKind.ATTRIBUTE and own.text not in common_members()) or is_unbound(unit, at)


def is_wanting(unit: Unit, at: int) -> bool:
    """Whether a lexeme is a name that the file does not bind, or an attribute that few use and that is like another."""
    return is_unbound(unit, at) or (is_strange(unit, at) and bool(_spelt_alike(unit, at)))


def is_unbound(unit: Unit, at: int) -> bool:
    """Whether a lexeme is a name that the file does not bind."""
    return bool(unit.standings) and unit.standings[at] in _NOWHERE


def successor_of(unit: Unit, at: int) -> str | None:
    """What took the place of a name of Python 2 that the file does not bind."""
    return (OF_PYTHON_2.get(unit.lexemes[at].text) or None) if is_unbound(unit, at) else None


def is_valueless(unit: Unit, at: int) -> bool:
    """Whether a lexeme reads a name that has no value there, whatever runs: that is a mistake, but for names that
    nobody uses who does not mean Python 2."""
    return bool(unit.standings) and unit.standings[at] in _VALUELESS and unit.lexemes[at].text not in _MEANT


def _of_the_file(unit: Unit, at: int) -> frozenset[str]:
    """Names of the file, or members of a class in it, that one which it does not bind could be a misspelling of."""
    if unit.around is None or not is_unbound(unit, at):
        return frozenset()
    file, own = unit.around.surroundings, unit.lexemes[at].text
    if unit.lexemes[at].kind is LexemeKind.NAME:
        return file.names_like({own}) | _BUILTINS.alike(own)
    owner = unit.lexemes[at - 2].text
    class_name = unit.around.class_name if owner in ("self", "cls") else owner
    return file.members_like(class_name, {own}) if class_name is not None else frozenset()


def _respelt(unit: Unit, at: int) -> list[Rewrite]:
    """A string that is one misspelt name, as the function spells that name elsewhere, or else of words in use. It
    is known by its quote."""
    start = unit.lexemes[at].span.start
    content = unit.lexemes[at + 1] if at + 1 < len(unit.lexemes) else None
    if content is None or content.kind is not LexemeKind.STRING or not content.text.isidentifier():
        return []
    words = (each.text for each in unit.lexemes if each.kind in (*_NAME_KINDS, LexemeKind.STRING))
    alike = [word for word in dict.fromkeys(words) if misspelt(content.text, word) and word.isidentifier()]
    by_words = corrections(content.text)
    spelt = alike or (by_words if len(by_words) == 1 else ())  # A short word of prose is like several.
    return [Rewrite((Edit(content.span, word),), (start,), word) for word in spelt]


def _in_sight(unit: Unit, lexeme: Lexeme) -> list[str]:
    """Local names that stand for what a name that the function does not bind could have been, the nearest first."""
    for load in unit.scopes.loads:
        if unit.parsed.offset(load.node.start_byte) == lexeme.span.start:
            nearest = sorted(unit.scopes.visible(load).values(), key=lambda binding: -binding.start)
            return [binding.name for binding in nearest if binding.name != lexeme.text]
    return []


OF_NAMES = ("variable-misuse", "wrong-attribute", "wrong-call")
"""Kinds where one name stands for another."""
_NOWHERE = (Standing.UNBOUND, Standing.UNBOUND_MEMBER, Standing.MISSING, Standing.FOREIGN, Standing.FROM_STAR)
"""How names stand that the file does not bind."""
_VALUELESS = (Standing.UNBOUND, Standing.UNBOUND_MEMBER, Standing.UNASSIGNED)
_MEANT = OF_PYTHON_2.keys() - {"apply", "buffer", "file", "long"}
_BUILTINS = Lexicon(BUILTINS)
_NAME_KINDS = (LexemeKind.NAME, LexemeKind.ATTRIBUTE, LexemeKind.KEYWORD_NAME)


@lru_cache(4096)  # One attribute stands in many lines of a class.
def _members_alike(attribute: str) -> tuple[str, ...]:
    return tuple(sorted(_member_lexicon().alike(attribute), key=common_members().__getitem__))


@cache
def _member_lexicon() -> Lexicon:
    return Lexicon(common_members())


def _insertion(unit: Unit, at: int, kind: str) -> list[Rewrite]:
    lexeme, before = unit.lexemes[at], unit.lexemes[at - 1] if at else None
    text = INSERTIONS[kind]
    statement = before is not None and before.kind in (LexemeKind.NEWLINE, LexemeKind.INDENT, LexemeKind.DEDENT)
    if kind in ("missing-return", "missing-raise") and not statement:
        return []
    if kind == "missing-await" and not any(each.text == "async" for each in unit.lexemes[:at]):
        return []
    if kind == "missing-self" and lexeme.kind is not LexemeKind.NAME:
        return []
    if kind == "missing-f-prefix" and (lexeme.kind is not LexemeKind.STRING or lexeme.text[0] not in "\"'"):
        return []
    start = lexeme.span.start
    return [Rewrite((Edit(Span(start, start), text),), (start,), text + lexeme.text)]


def _negation(lexemes: Sequence[Lexeme], at: int) -> Rewrite:
    lexeme = lexemes[at]
    start = lexeme.span.start
    if lexeme.text == "not" and at + 1 < len(lexemes):
        return Rewrite(
            (Edit(Span(start, lexemes[at + 1].span.start), ""),), (lexemes[at + 1].span.start,), lexemes[at + 1].text
        )
    return Rewrite((Edit(Span(start, start), "not "),), (start,), f"not {lexeme.text}")

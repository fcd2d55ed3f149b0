"""From a suspicious place and a kind to the edits that could mend it."""

from __future__ import annotations

from collections.abc import Sequence

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import Rewrite, Slot, slots
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


def repairs(unit: Unit, at: int, kind: str, found: Sequence[Slot] | None = None) -> list[Rewrite]:
    """Rewrites that would undo a defect of ``kind`` at lexeme number ``at``; none where none is known.

    ``found`` saves a second enumeration when the caller has the unit's slots already.
    """
    lexeme = unit.lexemes[at]
    if kind in INSERTIONS:
        return _insertion(unit, at, kind)
    if kind == "wrong-negation":
        return [_negation(unit.lexemes, at)]
    if kind == "missing-call-parentheses":
        end = lexeme.span.end
        return [Rewrite((Edit(Span(end, end), "()"),), (lexeme.span.start,), f"{lexeme.text}()")]
    if unit.definition is None:
        return []
    every = found if found is not None else slots(unit.parsed, unit.definition)
    return [
        rewrite
        for slot in every
        if slot.kind == kind
        for rewrite in slot.rewrites
        if lexeme.span.start in rewrite.anchors
    ]


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

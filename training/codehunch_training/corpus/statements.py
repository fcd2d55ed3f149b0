"""Kinds of fixes that put something in, take something out, or rewrite a statement."""

from __future__ import annotations

from collections import Counter

from codehunch_training.corpus.difference import STATEMENTS, Change, Item
from codehunch_training.corpus.rejections import reads_as_prose, reject_messages
from codehunch_training.corpus.verdict import LARGEST_EDIT, FileWords, NotADefect, Verdict, is_text, range_of, size_of


def inserted(change: Change, words: FileWords) -> Verdict:
    """Something was missing; the lexeme it is missing at is flagged."""
    spans = (range_of(change.after.first),) if change.after is not None else ()
    if not spans and change.before is not None:
        spans = (range_of(change.before.last),)
    if not spans:
        raise NotADefect("nothing stood there before")
    if change.parent.type == "block":
        if len(change.new) != 1:
            raise NotADefect("several statements")
        return _inserted_statement(change.new[0], spans)
    if change.parent.type == "argument_list":
        if sum(1 for item in change.new for _ in item.leaves()) > LARGEST_EDIT:
            raise NotADefect("large edit")
        holder = change.path[-2] if len(change.path) > 1 else change.parent
        if holder.type == "call":
            return Verdict("missing-argument", (range_of(holder.children[0].last),))
    return rewritten(change)


def _inserted_statement(statement: Item, spans: tuple[tuple[int, int], ...]) -> Verdict:
    size = sum(1 for _ in statement.leaves())
    if size > 2 * LARGEST_EDIT:
        raise NotADefect("large edit")
    if statement.type == "return_statement":
        return Verdict("missing-return", spans)
    if statement.type == "raise_statement":
        return Verdict("missing-raise", spans)
    if statement.type == "expression_statement":
        inner = statement.children[0]
        inner = inner.children[-1] if inner.type == "await" else inner
        if inner.type == "call":
            reject_messages(inner)
            return Verdict("missing-call", spans)
    if statement.type in ("expression_statement", "break_statement", "continue_statement", "delete_statement"):
        return Verdict("wrong-statement", spans)
    raise NotADefect("inserted block")


def deleted(change: Change) -> Verdict:
    """Something was too much."""
    if len(change.old) > 3 or sum(1 for item in change.old for _ in item.leaves()) > LARGEST_EDIT:
        raise NotADefect("large edit")
    for item in change.old:
        if item.type == "expression_statement" and item.children and item.children[0].type == "call":
            reject_messages(item.children[0])
    if change.parent.type == "argument_list":
        named = [item for item in change.old if item.type != ","]
        return Verdict("wrong-call", tuple(range_of(item.first) for item in named[:1]))
    return Verdict("wrong-statement", (range_of(change.old[0].first),))


def rewritten(change: Change) -> Verdict:
    """No finer kind fits: a few lexemes of one statement changed."""
    if change.parent.type == "block" or any(item.type in STATEMENTS for item in (*change.old, *change.new)):
        simple = len(change.old) == 1 and len(change.new) == 1
        if not simple:
            raise NotADefect("several statements")
    if size_of(change) > LARGEST_EDIT:
        raise NotADefect("large edit")
    if is_text(change) and any(
        reads_as_prose(leaf.text) for item in (*change.old, *change.new) for leaf in item.leaves()
    ):
        raise NotADefect("message text")
    spans = _different_leaves(change)
    return Verdict("wrong-statement", spans)


def _different_leaves(change: Change) -> tuple[tuple[int, int], ...]:
    old = [leaf for item in change.old for leaf in item.leaves()]
    new = Counter(leaf.key for item in change.new for leaf in item.leaves())
    gone = []
    for leaf in old:
        if new[leaf.key]:
            new[leaf.key] -= 1
        else:
            gone.append(leaf)
    chosen = gone or old[:1]
    if not chosen:
        beside = change.before or change.after or change.parent
        chosen = [beside.last]
    return tuple(range_of(leaf) for leaf in chosen[:LARGEST_EDIT])

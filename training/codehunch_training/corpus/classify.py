"""Which kind of defect an edit fixed: from changed subtrees to a kind name and the wrong lexemes.

What is visibly no bug (renames, messages, style, signatures, configuration, Python 2 to 3) is rejected with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from codehunch_training.corpus.difference import Change
from codehunch_training.corpus.evidence import evidence_of
from codehunch_training.corpus.rejections import reject_places, reject_rename, reject_words
from codehunch_training.corpus.replacements import SHAPES, token_for_token
from codehunch_training.corpus.statements import deleted, inserted, rewritten
from codehunch_training.corpus.verdict import LARGEST_EDIT, FileWords, NotADefect, Verdict, leaf_pair, range_of, size_of


def classify(changes: Sequence[Change], words: FileWords) -> Verdict:
    """The kind of one small fix. Raises NotADefect."""
    verdict = _classify(changes, words)
    return attrs.evolve(verdict, evidence=evidence_of(verdict.kind, changes, words.old_function, words.old_file))


def _classify(changes: Sequence[Change], words: FileWords) -> Verdict:
    if not changes:
        raise NotADefect("comments, docstrings, annotations or layout")
    if len(changes) > 4:
        raise NotADefect("several places")
    swap = _swap(changes)
    if swap is not None:
        return swap
    verdicts = [_of_change(change, words) for change in changes]
    kinds = {verdict.kind for verdict in verdicts}
    spans = tuple(sorted({span for verdict in verdicts for span in verdict.spans}))
    reject_rename(changes, words)
    if len(kinds) == 1 and (len(changes) == 1 or kinds != {"wrong-statement"}):
        if len(changes) > 1 and len({_signature_of(change) for change in changes}) > 1 and not _one_statement(changes):
            raise NotADefect("several places")
        if len(changes) > 2:
            raise NotADefect("several places")
        return Verdict(kinds.pop(), spans)
    if _one_statement(changes) and sum(map(size_of, changes)) <= LARGEST_EDIT:
        return Verdict("wrong-statement", spans)
    raise NotADefect("several places")


def _signature_of(change: Change) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(item.key for item in change.old), tuple(item.key for item in change.new)


def _one_statement(changes: Sequence[Change]) -> bool:
    return len({id(change.statement) for change in changes}) == 1


def _swap(changes: Sequence[Change]) -> Verdict | None:
    """Two arguments of one call that changed places."""
    if len(changes) != 2 or any(len(change.old) != 1 or len(change.new) != 1 for change in changes):
        return None
    one, two = changes
    if one.parent is not two.parent or one.parent.type != "argument_list":
        return None
    if one.old[0].key != two.new[0].key or two.old[0].key != one.new[0].key:
        return None
    return Verdict("argument-swap", tuple(range_of(change.old[0].first) for change in changes))


def _of_change(change: Change, words: FileWords) -> Verdict:
    reject_places(change)
    if not change.old:
        return inserted(change, words)
    if not change.new:
        return deleted(change)
    if len(change.old) > 1 or len(change.new) > 1:
        return rewritten(change)
    old, new = change.old[0], change.new[0]
    reject_words(old, new)
    pair = leaf_pair(change)
    if pair is not None:
        return token_for_token(change, *pair)
    for shape in SHAPES:
        verdict = shape(change, old, new)
        if verdict is not None:
            return verdict
    return rewritten(change)

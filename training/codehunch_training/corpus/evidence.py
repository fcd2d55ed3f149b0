"""How much of a fix the buggy function itself gives away: what a reader, or a model, of that function could know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from codehunch_training.corpus.difference import Change, Item

Evidence = Literal["function", "file", "elsewhere"]
"""``function``: all the fix needs stands in the buggy function (or in the language). ``file``: in its file.
``elsewhere``: the fix brings knowledge of other files, of callers, or of what was wanted."""

CONFUSED = (
    {b"min", b"max"}, {b"any", b"all"}, {b"append", b"extend"}, {b"append", b"add"}, {b"startswith", b"endswith"},
    {b"keys", b"values"}, {b"keys", b"items"}, {b"values", b"items"}, {b"split", b"rsplit"}, {b"lstrip", b"rstrip"},
    {b"isinstance", b"issubclass"}, {b"find", b"rfind"}, {b"update", b"add"}, {b"__init__", b"__iter__"},
)  # fmt: skip
"""Names people take for each other: the right one need not stand in the function to be missed there."""
_FROM_SYNTAX = {
    "wrong-comparison",
    "wrong-boolean-operator",
    "wrong-binary-operator",
    "wrong-negation",
    "off-by-one",
    "missing-f-prefix",
    "missing-await",
    "missing-self",
    "missing-call-parentheses",
    "argument-swap",
}


def evidence_of(
    kind: str, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """Where the new version's words come from, judged per kind."""
    if kind in _FROM_SYNTAX:
        return "function"
    fresh = [name for change in changes for name in _fresh_names(change)]
    near: Evidence = "elsewhere"
    if all(old_file[name] for name in fresh):
        near = "function" if all(old_function[name] for name in fresh) else "file"
    judge = _JUDGES.get(kind)
    return judge(near, changes, old_function, old_file) if judge is not None else near


def _fresh_names(change: Change) -> list[bytes]:
    had = {leaf.text for item in change.old for leaf in item.leaves()}
    return [
        leaf.text for item in change.new for leaf in item.leaves() if leaf.type == "identifier" and leaf.text not in had
    ]


def _name(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """A name for a name. Misspellings and usual confusions give themselves away wherever the right name stands."""
    pairs = [(c.old[0].last.text, c.new[0].last.text) for c in changes if len(c.old) == 1 and len(c.new) == 1]
    if near != "function" and pairs and all(_slipped(a, b, old_file) for a, b in pairs):
        return "function"
    return _weaker(near) if any(new in (b"cls", b"self") for _, new in pairs) else near


def _slipped(old: bytes, new: bytes, old_file: Counter[bytes]) -> bool:
    return {old, new} in CONFUSED or (misspelt(old, new) and old_file[old] <= 2 and old_file[new] > 0)


def _call(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    added = [change for change in changes if not change.old]
    if added:
        # A forgotten argument shows where a parameter or variable is otherwise never used.
        fresh = [name for change in added for name in _fresh_names(change)]
        return "function" if near == "function" and any(old_function[name] == 1 for name in fresh) else _weaker(near)
    if any(not change.new for change in changes):
        return _weaker(near)
    replaced = all(len(c.old) == 1 and len(c.new) == 1 and not c.old[0].children for c in changes)
    return _name(near, changes, old_function, old_file) if replaced else _weaker(near)


def _missing_call(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """A wrapped value shows where its neighbours are wrapped alike; a call nobody made shows only with ``super``."""
    names = [_called(item) for change in changes for item in change.new]
    if any(name == b"super" for name in names):
        return "function"
    inserted = any(not change.old for change in changes)
    chained = any(name in {leaf.text for item in c.old for leaf in item.leaves()} for c in changes for name in names)
    return near if not inserted and not chained and all(old_function[name] for name in names) else _weaker(near)


def _called(item: Item) -> bytes:
    while item.type in ("expression_statement", "await") and item.children:
        item = item.children[-1]
    if item.type != "call":
        return b""
    inner = item.children[0]
    if (
        inner.type == "attribute"
        and inner.children[0].type == "call"
        and inner.children[0].children[0].text == b"super"
    ):
        return b"super"
    return inner.last.text


def _literal(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """A literal shows as wrong where the right one stands in the function, or as a misspelt word of the file."""
    for change in changes:
        if len(change.old) != 1 or len(change.new) != 1:
            return "file"
        old, new = change.old[0], change.new[0]
        if {"true", "false"} == {old.type, new.type}:
            if change.parent.type == "keyword_argument":
                return "file"
            continue
        if any(leaf.key == new.key for leaf in change.path[0].leaves()):
            continue
        a, b = old.text.split(b'"', 1)[-1], new.text.split(b'"', 1)[-1]
        if not _slipped(a, b, old_file):
            return "file"
    return "function"


def _statement(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """Only a replacement of a few words by other words of the function shows, or a forgotten star."""
    for change in changes:
        old = [leaf for item in change.old for leaf in item.leaves()]
        new = [leaf for item in change.new for leaf in item.leaves()]
        starred = len(change.new) == 1 and change.new[0].type in ("list_splat", "dictionary_splat")
        kept = not Counter(leaf.key for leaf in old) - Counter(leaf.key for leaf in new)
        if not starred and (kept or not _fresh_names(change) or max(len(old), len(new)) > 4):
            return _weaker(near)
    return near


def _weaker(evidence: Evidence) -> Evidence:
    return "file" if evidence == "function" else "elsewhere"


_JUDGES = {
    "variable-misuse": _name,
    "wrong-attribute": _name,
    "wrong-call": _call,
    "missing-call": _missing_call,
    "wrong-literal": _literal,
    "wrong-statement": _statement,
}


def misspelt(a: bytes, b: bytes) -> bool:
    """Whether two words of at least four letters are one or two slips apart (Damerau-Levenshtein)."""
    if min(len(a), len(b)) < 4 or abs(len(a) - len(b)) > 2 or a == b:
        return False
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        current = [i]
        for j, y in enumerate(b, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1] <= (1 if min(len(a), len(b)) < 6 else 2)

"""How much of a fix the buggy function itself gives away: what a reader, or a model, of that function could know."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from codehunch_training.corpus.difference import Change, Item

Evidence = Literal["function", "file", "elsewhere"]
"""``function``: all the fix needs stands in the buggy function (or in the language). ``file``: in its file.
``elsewhere``: the fix brings knowledge of other files, of callers, or of what was wanted."""

_KNOWN = frozenset(name.encode() for name in dir(builtins)) | {b"self", b"cls", b"super", b"__init__"}
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
    known = all(old_function[name] or name in _KNOWN for name in fresh)
    near: Evidence = "function" if known else "file" if all(old_file[n] or n in _KNOWN for n in fresh) else "elsewhere"
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
    """A name for a name: misspellings give themselves away even where the right name stands elsewhere in the file."""
    pairs = [(c.old[0].last.text, c.new[0].last.text) for c in changes if len(c.old) == 1 and len(c.new) == 1]
    if near == "file" and pairs and all(misspelt(a, b) and old_file[a] <= 2 for a, b in pairs):
        return "function"
    return near


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
    names = [_called(item) for change in changes for item in change.new]
    if any(name == b"super" for name in names):
        return "function"
    return near if all(name and old_function[name] for name in names) else _weaker(near)


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
    for change in changes:
        old, new = (items[0] if len(items) == 1 else None for items in (change.old, change.new))
        if old is None or new is None:
            return "file"
        if new.type in ("true", "false") or old.type in ("true", "false"):
            continue
        if old.type == new.type == "string":
            a, b = old.text.split(b'"', 1)[-1], new.text.split(b'"', 1)[-1]
            stands = any(leaf.key == new.key for item in change.path[:1] for leaf in item.leaves())
            if not stands and not misspelt(a, b) and a.lower() != b.lower():
                return "file"
        elif not any(leaf.key == new.key for leaf in change.path[0].leaves()):
            return "file"
    return "function"


def _statement(
    near: Evidence, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """Only a replacement of a few words by words of the function shows; what was added or cut away does not."""
    for change in changes:
        old = [leaf for item in change.old for leaf in item.leaves()]
        new = [leaf for item in change.new for leaf in item.leaves()]
        if not old or not new or max(len(old), len(new)) > 4:
            return _weaker(near)
        if any(leaf.type == "string" for leaf in new) and not any(leaf.type == "string" for leaf in old):
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

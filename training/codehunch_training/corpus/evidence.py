"""How much of a fix the buggy function itself gives away: what a reader, or a model, of that function could know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import attrs

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
    "wrong-negation",
    "missing-f-prefix",
    "missing-await",
    "missing-self",
    "argument-swap",
}


@attrs.frozen
class Words:
    """What stood around the fix."""

    function: Counter[bytes]
    """Names in the old function's code."""
    free: Counter[bytes]
    """Those that are no attribute and no keyword there."""
    file: Counter[bytes]
    """Words of the old file."""


def evidence_of(
    kind: str, changes: Sequence[Change], old_function: Counter[bytes], old_file: Counter[bytes]
) -> Evidence:
    """Where the new version's words come from, judged per kind.

    The rules were tightened on rows read by eye until most of what is called ``function`` could be seen there.
    """
    if kind in _FROM_SYNTAX:
        return "function"
    words = Words(old_function, Counter(_free_names(changes[0].path[0])), old_file)
    fresh = [name for change in changes for name in _fresh_names(change)]
    near: Evidence = "elsewhere"
    if all(old_file[name] for name in fresh):
        near = "function" if all(old_function[name] for name in fresh) else "file"
    return _JUDGES[kind](near, changes, words)


def _free_names(function: Item) -> Iterator[bytes]:
    stack = [function]
    while stack:
        item = stack.pop()
        if item.type == "identifier":
            yield item.text
        elif item.type == "attribute":
            stack.append(item.children[0])
        elif item.type == "keyword_argument":
            stack.extend(item.children[1:])
        else:
            stack.extend(item.children)


def _fresh_names(change: Change) -> list[bytes]:
    had = {leaf.text for item in change.old for leaf in item.leaves()}
    leaves = (leaf for item in change.new for leaf in item.leaves())
    return [leaf.text for leaf in leaves if leaf.type == "identifier" and leaf.text not in had]


def _pairs(changes: Sequence[Change]) -> list[tuple[Item, Item]]:
    return [(change.old[0], change.new[0]) for change in changes if len(change.old) == 1 and len(change.new) == 1]


def _slipped(old: bytes, new: bytes, words: Words) -> bool:
    return {old, new} in CONFUSED or (misspelt(old, new) and words.file[old] <= 2 and words.file[new] > 0)


def _all_slipped(changes: Sequence[Change], words: Words) -> bool:
    pairs = _pairs(changes)
    return bool(pairs) and all(_slipped(old.last.text, new.last.text, words) for old, new in pairs)


def _variable(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A local name for a local name. Classes and constants are choices, and an attribute for a name shows only where
    the name means nothing else in the function."""
    if _all_slipped(changes, words):
        return "function"
    for old, new in _pairs(changes):
        if old.type == "identifier" and new.type == "identifier":
            if not _is_plain(old.text) or not _is_plain(new.text) or not words.free[new.text]:
                return _weaker(near)
        elif old.type == "identifier" and (words.free[old.text] > len(changes) or not _is_plain(old.text)):
            return _weaker(near)
    return near


def _is_plain(name: bytes) -> bool:
    """A name as variables have them: no class, no constant, no receiver."""
    return name.lower() == name and name not in (b"self", b"cls")


def _attribute(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """An attribute of the same owner that is used elsewhere in the function, or a local name taken for an attribute."""
    if _all_slipped(changes, words):
        return "function"
    for change in changes:
        if len(change.old) != 1 or len(change.new) != 1:
            return _weaker(near)
        old, new = change.old[0], change.new[0]
        if not old.children and not new.children:  # The last part alone changed.
            if not _is_used(change.path[0], change.parent.children[0].key, new.key):
                return _weaker(near)
        elif old.type != "attribute" or new.type != "identifier" or not words.free[new.text] or not _is_plain(new.text):
            return _weaker(near)
    return near


def _is_used(function: Item, owner: int, name: int) -> bool:
    stack = [function]
    while stack:
        item = stack.pop()
        if item.type == "attribute" and item.children[0].key == owner and item.children[-1].key == name:
            return True
        stack.extend(item.children)
    return False


def _call(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Another function's name; or a forgotten argument, which shows where a parameter is otherwise never used."""
    added = [change for change in changes if not change.old]
    if added:
        given = [name for change in added for item in change.new for name in _free_names(item)]
        return "function" if near == "function" and any(words.free[name] == 1 for name in given) else _weaker(near)
    if any(not change.new for change in changes):
        return _weaker(near)
    if _all_slipped(changes, words):
        return "function"
    raised = any(item.type == "raise_statement" for change in changes for item in change.path[-3:])
    leaves = all(not old.children and _is_plain(old.text) and _is_plain(new.text) for old, new in _pairs(changes))
    return near if leaves and not raised else _weaker(near)


def _missing_call(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A call nobody made shows only where every class makes it: ``super``."""
    return "function" if any(_called(item) == b"super" for change in changes for item in change.new) else _weaker(near)


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


def _missing_return(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A value computed and dropped shows. A return put in shows where the function returns values elsewhere."""
    if any(change.old for change in changes):
        return "function"
    stack = [changes[0].path[0]]
    while stack:
        item = stack.pop()
        if item.type == "return_statement" and len(item.children) > 1:
            return near
        stack.extend(item.children)
    return _weaker(near)


def _literal(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A literal where a parameter waits to be used, or one slip of the keyboard away from a word of the file."""
    for old, new in _pairs(changes):
        if new.type == "identifier":
            if near != "function" or not _is_plain(new.text):
                return _weaker(near)
            continue
        a, b = old.text.split(b'"', 1)[-1], new.text.split(b'"', 1)[-1]
        plural = a.rstrip(b"s") == b.rstrip(b"s") or a.lower() == b.lower()
        if old.type != "string" or plural or not misspelt(a, b, 1):
            return "file"
    return "function"


def _binary(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Whole or broken division is a choice the function does not show."""
    return "file" if any({old.text, new.text} == {b"/", b"//"} for old, new in _pairs(changes)) else "function"


def _off_by_one(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Which constant index is right is knowledge of the data; ends of ranges and slices show."""
    index = any(old.type == "integer" and change.parent.type == "subscript" for change in changes for old in change.old)
    return "file" if index else "function"


def _statement(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Only a value replaced by other local names shows, or a forgotten star; a condition is what was wanted or not."""
    for change in changes:
        old = [leaf for item in change.old for leaf in item.leaves()]
        new = [leaf for item in change.new for leaf in item.leaves()]
        if any(item.type in _CONDITIONAL for item in change.path[-2:]):
            return _weaker(near)
        if len(change.new) == 1 and change.new[0].type in ("list_splat", "dictionary_splat"):
            if change.new[0].children[-1].type != "identifier":
                return _weaker(near)
            continue
        kept = not Counter(leaf.key for leaf in old) - Counter(leaf.key for leaf in new)
        had = {leaf.text for leaf in old}
        named = [name for item in change.new for name in _free_names(item) if name not in had]
        if kept or not named or not all(words.free[name] for name in named) or max(len(old), len(new)) > 4:
            return _weaker(near)
    return near


_CONDITIONAL = {
    "if_statement",
    "elif_clause",
    "while_statement",
    "boolean_operator",
    "comparison_operator",
    "not_operator",
}


def _parentheses(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A class can be meant without its parentheses."""
    return "function" if all(_is_plain(old.last.text) for old, _ in _pairs(changes)) else "file"


def _as_found(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    return near


def _weaker(evidence: Evidence) -> Evidence:
    return "file" if evidence == "function" else "elsewhere"


_JUDGES = {
    "variable-misuse": _variable,
    "wrong-attribute": _attribute,
    "wrong-call": _call,
    "missing-call": _missing_call,
    "missing-return": _missing_return,
    "missing-raise": _as_found,
    "missing-call-parentheses": _parentheses,
    "wrong-literal": _literal,
    "wrong-binary-operator": _binary,
    "off-by-one": _off_by_one,
    "wrong-statement": _statement,
}


def misspelt(a: bytes, b: bytes, most: int = 2) -> bool:
    """Whether two words of at least four letters are one or ``most`` slips apart (Damerau-Levenshtein)."""
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
    return previous[-1] <= (1 if min(len(a), len(b)) < 6 else most)

"""How much of a fix the buggy function itself gives away: what a reader, or a model, of that function could know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import attrs

from codehunch.defects.spelling import misspelt
from codehunch_training.corpus.difference import Change, Item
from codehunch_training.corpus.names import bound_names, free_names, is_used

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
    "wrong-boolean-operator",
    "wrong-negation",
    "missing-f-prefix",
    "missing-await",
}


@attrs.frozen
class Words:
    """What stood around the fix."""

    function: Counter[bytes]
    """Names in the old function's code."""
    free: Counter[bytes]
    """Those that are no attribute and no keyword there."""
    bound: frozenset[bytes]
    """Parameters and what the function assigns: its local names."""
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
    function = changes[0].path[0]
    words = Words(old_function, Counter(free_names(function)), frozenset(bound_names(function)), old_file)
    fresh = [name for change in changes for name in _fresh_names(change)]
    near: Evidence = "elsewhere"
    if all(old_file[name] for name in fresh):
        near = "function" if all(old_function[name] for name in fresh) else "file"
    return _JUDGES[kind](near, changes, words)


def _fresh_names(change: Change) -> list[bytes]:
    had = {leaf.text for item in change.old for leaf in item.leaves()}
    leaves = (leaf for item in change.new for leaf in item.leaves())
    return [leaf.text for leaf in leaves if leaf.type == "identifier" and leaf.text not in had]


def _pairs(changes: Sequence[Change]) -> list[tuple[Item, Item]]:
    return [(change.old[0], change.new[0]) for change in changes if len(change.old) == 1 and len(change.new) == 1]


def _slipped(old: bytes, new: bytes, words: Words) -> bool:
    """Names people confuse, or a slip of the keyboard; an ``s`` more or less is a name of its own."""
    slip = misspelt(old, new, 1) and old.rstrip(b"s") != new.rstrip(b"s")
    return {old, new} in CONFUSED or (slip and words.file[old] <= 2 and words.file[new] > 0)


def _all_slipped(changes: Sequence[Change], words: Words) -> bool:
    pairs = _pairs(changes)
    return bool(pairs) and all(_slipped(old.last.text, new.last.text, words) for old, new in pairs)


def _variable(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A local name for a local name. Classes and constants are choices, and an attribute for a name shows only where
    the name means nothing else in the function."""
    if _all_slipped(changes, words):
        return "function"
    for old, new in _pairs(changes):
        if old.type != "identifier" or not _is_plain(old.text):
            return _weaker(near)
        if new.type == "identifier":
            if new.text not in words.bound or not words.free[new.text]:
                return _weaker(near)
        elif words.free[old.text] > len(changes) or not _is_known(new, words, changes[0].path[0]):
            return _weaker(near)
    return near


def _is_known(attribute: Item, words: Words, function: Item) -> bool:
    """Of the receiver, of a local value, or used in the function already."""
    if attribute.type != "attribute":
        return False
    owner = attribute.children[0]
    known = owner.text in _RECEIVERS or owner.text in words.bound
    return known or is_used(function, owner.key, attribute.children[-1].key)


_RECEIVERS = (b"self", b"cls")


def _is_plain(name: bytes) -> bool:
    """A name as variables have them: no class, no constant, no receiver."""
    return name.lower() == name and name not in _RECEIVERS


def _attribute(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """An attribute that is used of the same local owner elsewhere in the function, or a local name taken for an
    attribute. Which of its own attributes an object should have used, the function does not tell."""
    if _all_slipped(changes, words):
        return "function"
    for change in changes:
        if len(change.old) != 1 or len(change.new) != 1:
            return _weaker(near)
        old, new = change.old[0], change.new[0]
        if not old.children and not new.children:  # The last part alone changed.
            owner = change.parent.children[0]
            if owner.text in _RECEIVERS or not is_used(change.path[0], owner.key, new.key):
                return _weaker(near)
        elif (
            old.type != "attribute"
            or new.type != "identifier"
            or old.children[0].key == new.key
            or old.last.text != new.text
            or not words.free[new.text]
        ):
            return _weaker(near)
    return near


def _comparison(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """The wrong way round shows; whether a bound itself belongs to what it bounds does not."""
    for old, new in _pairs(changes):
        signs = old.text, new.text
        ordered = [sign for sign in signs if sign[:1] in (b"<", b">")]
        if len(ordered) == 1 or (ordered and signs[0][:1] == signs[1][:1]):
            return _weaker(near)
    return "function"


def _argument(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A forgotten argument shows where a parameter is otherwise never used."""
    given = [name for change in changes for item in change.new for name in free_names(item)]
    return "function" if near == "function" and any(words.free[name] == 1 for name in given) else _weaker(near)


def _star(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """The function's own ``*args`` handed on without a star."""
    return near if all(new.last.text in words.bound for _, new in _pairs(changes)) else _weaker(near)


def _call(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A misspelt or confused name."""
    if any(not change.new for change in changes):
        return _weaker(near)
    if _all_slipped(changes, words):
        return "function"
    return _weaker(near)


def _missing_self(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Shows where the function uses the same attribute rightly elsewhere, or the name is nobody's else's here."""
    for _, new in _pairs(changes):
        if not is_used(changes[0].path[0], new.children[0].key, new.children[-1].key):
            return _weaker(near)
    return "function"


def _missing_raise(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """An exception made and dropped shows; whether one was to go on does not."""
    return "function" if all(change.old for change in changes) else _weaker(near)


def _knowledge(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Which call, operator or order is right is knowledge of what was wanted."""
    return _weaker(near)


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
    """A literal where a parameter waits to be used, or a misspelling of a word the function spells right elsewhere."""
    function = changes[0].path[0]
    handed = any(item.type in ("keyword_argument", "argument_list") for item in changes[0].path[-2:])
    for old, new in _pairs(changes):
        if new.type == "identifier":
            waits = words.free[new.text] == 1 and old.type != "none"
            if not (waits or (handed and new.text in words.bound)) or not _is_plain(new.text):
                return _weaker(near)
        elif old.type != "string" or not _misspells(old.text, new.text, function):
            return "file"
    return "function"


def _misspells(old: bytes, new: bytes, function: Item) -> bool:
    had, has = set(_LETTERS.findall(old)), set(_LETTERS.findall(new))
    gone, come = had - has, has - had
    if len(gone) != 1 or len(come) != 1:
        return False
    wrong, right = gone.pop(), come.pop()
    if wrong.rstrip(b"s") == right.rstrip(b"s") or not misspelt(wrong, right, 1):
        return False
    return any(right in _LETTERS.findall(leaf.text.lower()) for leaf in function.leaves())


_LETTERS = re.compile(rb"[a-z]{5,}")


def _off_by_one(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """Ends of ranges over a length and of slices show; which index or number is right is knowledge of the data."""
    for change in changes:
        if any(old.type == "integer" and change.parent.type == "subscript" for old in change.old):
            return "file"
        around = change.path[-4:]
        ranges = [item for item in around if item.type == "call" and item.children[0].last.text in _RANGES]
        counted = any(leaf.text == b"len" for item in ranges for leaf in item.leaves())
        if not counted and not any(item.type == "slice" for item in around):
            return "file"
    return "function"


_RANGES = (b"range", b"xrange", b"randint")


def _statement(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A literal where a local name waits."""
    for change in changes:
        if len(change.old) != 1 or len(change.new) != 1:
            return _weaker(near)
        old, new = change.old[0], change.new[0]
        if new.type != "identifier" or new.text not in words.bound or old.type not in _LITERALS:
            return _weaker(near)
    return "function"


_LITERALS = {"string", "integer", "float", "true", "false", "none", "tuple", "list", "dictionary"}


def _parentheses(near: Evidence, changes: Sequence[Change], words: Words) -> Evidence:
    """A class can be meant without its parentheses."""
    return "function" if all(_is_plain(old.last.text) for old, _ in _pairs(changes)) else "file"


def _weaker(evidence: Evidence) -> Evidence:
    return "file" if evidence == "function" else "elsewhere"


_JUDGES = {
    "variable-misuse": _variable,
    "wrong-attribute": _attribute,
    "wrong-call": _call,
    "missing-argument": _argument,
    "missing-star": _star,
    "missing-call": _knowledge,
    "missing-return": _missing_return,
    "missing-raise": _missing_raise,
    "missing-self": _missing_self,
    "argument-swap": _knowledge,
    "missing-call-parentheses": _parentheses,
    "wrong-literal": _literal,
    "wrong-comparison": _comparison,
    "wrong-binary-operator": _knowledge,
    "off-by-one": _off_by_one,
    "wrong-statement": _statement,
}

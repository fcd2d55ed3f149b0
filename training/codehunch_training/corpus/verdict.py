"""What is said of a small fix, and how its changes are measured."""

from __future__ import annotations

import re
from collections import Counter

import attrs

from codehunch_training.corpus.difference import Change, Item
from codehunch_training.corpus.evidence import Evidence

LARGEST_EDIT = 8
"""Lexemes a single statement's edit may replace or add; larger ones are rewrites."""


class NotADefect(Exception):
    """The edit is rejected; ``args[0]`` is the reason, a few words that are counted."""


@attrs.frozen
class Verdict:
    """A kind name of ``codehunch.defects.kinds`` and the wrong lexemes as byte ranges of the file."""

    kind: str
    spans: tuple[tuple[int, int], ...]
    evidence: Evidence = "elsewhere"


@attrs.frozen
class FileWords:
    """How often each name stands in the old function's code, and each word in the old and the new file."""

    old_function: Counter[bytes]
    old_file: Counter[bytes]
    new_file: Counter[bytes]


_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


def words_of(data: bytes) -> Counter[bytes]:
    """How often each word stands in a file, comments and strings included."""
    return Counter(_WORD.findall(data))


def names_of(function: Item) -> Counter[bytes]:
    """How often each name stands in a function's code."""
    return Counter(leaf.text for leaf in function.leaves() if leaf.type == "identifier")


def size_of(change: Change) -> int:
    """Lexemes a change touches; where one side holds the other, only those it adds or drops."""
    old = sum(1 for item in change.old for _ in item.leaves())
    new = sum(1 for item in change.new for _ in item.leaves())
    return abs(new - old) if _wraps(change) else max(old, new)


def _wraps(change: Change) -> bool:
    if len(change.old) != 1 or len(change.new) != 1:
        return False
    old, new = change.old[0], change.new[0]
    return contains(old, new.key) or contains(new, old.key)


def contains(outer: Item, key: int) -> bool:
    """Whether a subtree with the key lies strictly inside of another."""
    stack = list(outer.children)
    while stack:
        item = stack.pop()
        if item.key == key:
            return True
        stack.extend(item.children)
    return False


def leaf_pair(change: Change) -> tuple[Item, Item] | None:
    """The old and the new token of a change of one token into one, else ``None``."""
    if len(change.old) != 1 or len(change.new) != 1 or change.old[0].children or change.new[0].children:
        return None
    return change.old[0], change.new[0]


def range_of(item: Item) -> tuple[int, int]:
    """Byte range in the file."""
    return item.start, item.end


def is_text(change: Change) -> bool:
    """Whether a change touches a string."""
    return any(
        leaf.type == "string" or leaf.type.startswith("string_")
        for item in (*change.old, *change.new)
        for leaf in item.leaves()
    )

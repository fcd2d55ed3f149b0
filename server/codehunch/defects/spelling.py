"""Slips of the keyboard."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import TypeVar

Word = TypeVar("Word", str, bytes)


LONGEST = 64
"""Letters of a word that is looked into: a longer one is data, and the time and memory that it takes grow with their
square."""


def misspelt(a: Word, b: Word, most: int = 2) -> bool:
    """Whether two words of 4 to 64 letters are one or ``most`` slips apart (Damerau-Levenshtein)."""
    if min(len(a), len(b)) < 4 or max(len(a), len(b)) > LONGEST or abs(len(a) - len(b)) > 2 or a == b:
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


class Lexicon:
    """Words, found by one that is a slip away: both without one letter are looked up (Garbe 2012, "SymSpell")."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        self._shortened: dict[str, list[str]] = {}
        for word in self._words:
            for short in _shortened(word):
                self._shortened.setdefault(short, []).append(word)
        self._alike: dict[str, frozenset[str]] = {}
        """What words are like that were looked up and are like any: the next key brings the same again."""
        self._like_none: set[str] = set()
        """Those that are like none: most of a function's, and its neighbours have the same."""

    def alike(self, word: str) -> frozenset[str]:
        """The words that ``word`` may be one slip of."""
        if word in self._like_none or word in self._alike:
            return self._alike.get(word, frozenset())
        near = {other for short in _shortened(word) for other in self._shortened.get(short, ())}
        found = frozenset(other for other in near if _one_slip(word, other))
        if found:
            self._alike[word] = found
        else:
            self._like_none.add(word)
        return found

    def alike_any(self, words: Set[str]) -> frozenset[str]:
        """The words that one of ``words`` may be a slip of."""
        return frozenset().union(*map(self.alike, words - self._like_none))

    def touches(self, words: Set[str]) -> bool:
        """Whether any of ``words`` is among these, or may be a slip of one."""
        return not self._words.isdisjoint(words) or bool(self.alike_any(words))


def _shortened(word: str) -> set[str]:
    """The word, and what is left of it without one of its letters; nothing where it is too short to be recognised, or
    too long."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))} if 4 <= len(word) <= LONGEST else set()


def _one_slip(a: str, b: str) -> bool:
    """``misspelt(a, b, 1)`` of two words that are alike without a letter each."""
    if len(a) != len(b):
        short, long = sorted((a, b), key=len)
        return short in _shortened(long)
    differs = [at for at, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(differs) != 2:
        return len(differs) == 1
    i, j = differs
    return j == i + 1 and a[i] == b[j] and a[j] == b[i]

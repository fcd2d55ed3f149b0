"""Slips of the keyboard."""

from __future__ import annotations

from typing import TypeVar

Word = TypeVar("Word", str, bytes)


def misspelt(a: Word, b: Word, most: int = 2) -> bool:
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

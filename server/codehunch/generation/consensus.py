"""Which of several candidates to show first: the one that is expected to be closest to what a person would write.

Minimum Bayes risk decoding (Kumar and Byrne 2004) over everything at hand, what the model wrote and what was adapted:
each candidate is evidence for what is wanted, by how much it is trusted, and the candidate most like all of the
evidence comes first. Likeness of two texts is the share of lexemes, and of pairs of them, that they have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

_LEXEME = re.compile(r"\w+|[^\w\s]|\n *")


def chosen(texts: Sequence[str], trust: Sequence[float], most: int, passes: Callable[[int], bool]) -> list[int]:
    """Places of up to ``most`` texts, best first.

    The first is the text most like all others, each weighed by the square of its ``trust`` (0 to 1). Every further one
    adds most to what those before it cover (the greedy choice of facility location, Nemhauser et al. 1978), so that a
    list does not say one thing five times. What does not pass comes last; ``passes`` is only asked of what would be
    shown.
    """
    weights = np.square(np.asarray(trust, dtype=np.float64))
    alike = _likeness(texts)
    covered = np.zeros(len(texts))
    left = list(range(len(texts)))
    clean: list[int] = []
    doubtful: list[int] = []
    while left and len(clean) < most:
        best = max(left, key=lambda place: float(weights @ np.maximum(covered, alike[place])))
        left.remove(best)
        if passes(best):
            clean.append(best)
            covered = np.maximum(covered, alike[best])
        else:
            doubtful.append(best)
    return [*clean, *doubtful][:most]


def _likeness(texts: Sequence[str]) -> np.ndarray:
    """Dice coefficients of all pairs of texts, ``(texts, texts)``, 0 to 1."""
    parts = [_parts(text) for text in texts]
    sizes = [part.total() for part in parts]
    found = np.eye(len(texts))
    for one in range(len(texts)):
        for other in range(one):
            common = (parts[one] & parts[other]).total()
            found[one, other] = found[other, one] = 2 * common / max(1, sizes[one] + sizes[other])
    return found


def _parts(text: str) -> Counter[object]:
    lexemes = _LEXEME.findall(text)
    return Counter([*lexemes, *pairwise(lexemes)])

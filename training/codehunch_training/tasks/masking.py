"""Masked language modelling (Devlin et al. 2019, section 3.1): which tokens are to be guessed, and what is shown."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from codehunch_training.tasks.specification import IGNORED

MASKED, RANDOM = 0.8, 0.1
"""Of the chosen tokens, the share shown as a mask and the share shown as another token; the rest stay as they are."""


def mask_tokens(
    ids: Sequence[int], specials: Collection[int], mask: int, words: Sequence[int], rate: float, rng: random.Random
) -> tuple[list[int], list[int]]:
    """What is shown, and the labels [tokens]: each token but ``specials`` is chosen with ``rate``. Random tokens are
    drawn from ``words``."""
    shown, labels = list(ids), [IGNORED] * len(ids)
    for at, token in enumerate(ids):
        if token in specials or rng.random() >= rate:
            continue
        labels[at] = token
        way = rng.random()
        if way < MASKED:
            shown[at] = mask
        elif way < MASKED + RANDOM:
            shown[at] = rng.choice(words)
    return shown, labels


def next_block(at: int, following: int, count: int, rng: random.Random) -> tuple[int, int]:
    """A second block for block ``at``: (its number, 1 where it follows). Half the time the one that follows, where
    there is one (``following`` >= 0); else any block that is neither this one nor its neighbours."""
    if following >= 0 and rng.random() < 0.5:
        return following, 1
    for _ in range(20):
        other = rng.randrange(count)
        if other not in (at, following, at - 1):
            return other, 0
    return (at + count // 2) % count, 0

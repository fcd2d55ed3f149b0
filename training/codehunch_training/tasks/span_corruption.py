"""Denoising for sequence-to-sequence pre-training: what is hidden in the source stands in the target.

Two layouts, by what the base was pre-trained on: T5's, where each hidden span becomes a sentinel and the
target lists sentinels and spans (Raffel et al. 2020, section 3.1.4), and BART's text infilling, where a span
becomes one mask token and the target is the whole text (Lewis et al. 2020, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DENSITY = 0.15
"""Share of the tokens that is hidden."""
MEAN_SPAN = 3.0
"""Tokens per hidden span, on average."""


def random_spans(
    length: int, rng: np.random.Generator, density: float = DENSITY, mean: float = MEAN_SPAN, most: int | None = None
) -> NDArray[np.bool_]:
    """Which of ``length`` tokens to hide, as a mask of shape [length].

    ``density * length`` tokens (rounded by chance, so that short texts keep the rate) fall into
    ``hidden / mean`` spans, at most ``most``; spans never touch. A text of one token stays whole. Unlike T5's own,
    a span may stand at either end or not: with one span, as short texts have, the end alone would ever be hidden.
    """
    if not 0 < density < 1 or mean < 1:
        raise ValueError(f"density must lie between 0 and 1 and a span has at least one token: {density}, {mean}")
    mask = np.zeros(length, dtype=np.bool_)
    hidden = min(int(density * length + rng.random()), length - 1)
    if hidden < 1:
        return mask
    count = max(1, min(round(hidden / mean), hidden, length - hidden, most or length))
    spans, gaps = _parts(hidden, count, rng), _parts(length - hidden + 2, count + 1, rng)
    at = -1
    for gap, span in zip(gaps[:-1], spans, strict=True):
        mask[at + gap : at + gap + span] = True
        at += gap + span
    return mask


def _parts(total: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``total`` cut into ``count`` positive parts, every way being equally likely."""
    cuts = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
    return np.diff(np.concatenate(([0], cuts, [total])))


def with_sentinels(
    ids: Sequence[int], mask: NDArray[np.bool_], sentinels: Sequence[int], eos: int
) -> tuple[list[int], list[int]]:
    """Source and target in T5's layout, both closed by ``eos``.

    ``sentinels`` are ids in their order of use. Raises ValueError where there are more spans than sentinels.
    """
    source: list[int] = []
    target: list[int] = []
    used = 0
    before = False
    for token, hidden in zip(ids, mask, strict=True):
        if hidden and not before:
            if used == len(sentinels):
                raise ValueError(f"{len(sentinels)} sentinels are too few for this text; cut it or hide fewer spans")
            source.append(sentinels[used])
            target.append(sentinels[used])
            used += 1
        (target if hidden else source).append(token)
        before = bool(hidden)
    return [*source, eos], [*target, eos]


def with_masks(ids: Sequence[int], mask: NDArray[np.bool_], mask_id: int) -> tuple[list[int], list[int]]:
    """Source and target in BART's layout, without the special tokens that close a text."""
    source: list[int] = []
    before = False
    for token, hidden in zip(ids, mask, strict=True):
        if not hidden:
            source.append(token)
        elif not before:
            source.append(mask_id)
        before = bool(hidden)
    return source, list(ids)

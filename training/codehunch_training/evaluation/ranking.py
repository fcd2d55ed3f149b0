"""Areas under curves, from scores alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """Area under the ROC curve: how often a positive outscores a negative, ties counted half (Mann and Whitney 1947).
    NaN where either side is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    _, inverse, counts = np.unique(np.concatenate([positive, negative]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    won = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(won / (len(positive) * len(negative)))

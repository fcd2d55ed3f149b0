"""Do probabilities mean what they say? Calibration error, reliability bins, temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

BINS = 15
"""As Guo et al. have it."""
_GOLDEN = (5**0.5 - 1) / 2


@attrs.frozen(eq=False)
class Bins:
    """Answers by confidence; all arrays [bins], NaN where a bin is empty."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by count."""
        total = self.count.sum()
        if not total:
            return float("nan")
        gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((gaps * self.count).sum() / total)


def bins_of(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> Bins:
    """``confidence`` [rows] in 0 to 1 against whether the answer was right [rows], in bins of equal width."""
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    # Upper edges belong to their bin: (0, 1/15], (1/15, 2/15], ...
    at = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Bins(
            np.bincount(at, confidence, bins) / np.where(count, count, np.nan),
            np.bincount(at, right, bins) / np.where(count, count, np.nan),
            count,
        )


def calibration_error(probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = BINS) -> float:
    """Expected calibration error of the likeliest class; [rows, classes] against [rows]."""
    return bins_of(probabilities.max(1), probabilities.argmax(1) == truth, bins).error


def tempered(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The probabilities as if their logits had been divided by ``temperature``."""
    logits = np.log(np.clip(probabilities, 1e-12, 1.0)) / temperature
    logits -= logits.max(-1, keepdims=True)
    raised = np.exp(logits)
    return raised / raised.sum(-1, keepdims=True)


def fit_temperature(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature of least log loss, by golden-section search over its logarithm: the loss has one minimum there.
    1.0 for no rows."""
    if not len(truth):
        return 1.0
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        p = tempered(probabilities, float(np.exp(log_temperature)))[rows, truth]
        return float(-np.log(np.clip(p, 1e-12, 1.0)).mean())

    low, high = np.log(0.02), np.log(50.0)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-5:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def cross_fitted(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Tempered probabilities where no row helped to fit its own temperature: two halves, each with the other's. And
    the temperature fitted on all."""
    odd = np.arange(len(truth)) % 2 == 1
    out = np.array(probabilities, dtype=float)
    for half in (odd, ~odd):
        out[half] = tempered(probabilities[half], fit_temperature(probabilities[~half], truth[~half]))
    return out, fit_temperature(probabilities, truth)

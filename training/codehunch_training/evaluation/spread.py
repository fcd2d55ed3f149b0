"""Several runs that differ by their seed: the mean of each metric, and how far they lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom."""


@attrs.frozen
class Spread:
    mean: float
    deviation: float
    """Standard deviation of the sample; 0 for one run."""
    half_width: float
    """Of the 95 % interval of the mean; NaN for one run."""
    values: tuple[float, ...]


def spread(values: Sequence[float]) -> Spread:
    """Mean, deviation and interval of one metric. Raises ValueError where there is no value."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        raise ValueError("no value to take a mean of")
    n, mean = len(known), sum(known) / len(known)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / (n - 1)) if n > 1 else 0.0
    quantile = _STUDENT[n - 2] if n - 1 <= len(_STUDENT) else 1.96 + 2.4 / (n - 1)
    return Spread(mean, deviation, quantile * deviation / math.sqrt(n) if n > 1 else math.nan, tuple(values))


def spreads(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """For every metric that all runs have, in the first run's order."""
    names = [name for name in runs[0] if all(name in run for run in runs)] if runs else []
    return {
        name: spread([run[name] for run in runs]) for name in names if not all(math.isnan(run[name]) for run in runs)
    }

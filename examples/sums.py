"""Sums that show what they give. Two of these functions do not give it."""

from __future__ import annotations


def mean(values):
    """The arithmetic mean.

    >>> mean([1, 2, 3])
    2.0
    """
    total = 0
    for value in values:
        total += value
    return total / (len(values) - 1)


def running_totals(values):
    """The sum of all values up to each.

    >>> running_totals([1, 2, 3])
    [1, 3, 6]
    """
    totals = []
    total = 0
    for value in values:
        total += value
        totals.append(value)
    return totals


def share(part, whole):
    """How much of the whole a part is, in per cent: share(1, 4) == 25.0"""
    if not whole:
        return 0.0
    return 100 * part / whole

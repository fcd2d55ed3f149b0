"""How a person is told where a body comes from that the model did not write."""

from __future__ import annotations

DOUBTFUL = 0.5
"""Confidence below which something else that fits the examples is likelier meant."""


def told_source(origin: str, examples: int, confidence: float) -> str:
    """The function it was adapted from, and the examples it fits, in words; empty where there is neither."""
    adapted = f"adapted from {origin}" if origin else ""
    if not examples:
        return adapted
    fitting = "fits the example" if examples == 1 else f"fits the {examples} examples"
    if adapted:
        return f"{adapted}, {fitting}"
    return fitting if confidence >= DOUBTFUL else f"{fitting}, as much else would"

"""How a person is told where a body comes from that the model did not write."""

from __future__ import annotations

DOUBTFUL = 0.5
"""Confidence below which something else that fits the examples is likelier meant."""


def told_source(origin: str, examples: int, confidence: float) -> str:
    """The function it was adapted from, or the examples it was found by, in words; empty for what the model wrote."""
    if examples:
        shown = "the example" if examples == 1 else f"the {examples} examples"
        return f"fits {shown}" if confidence >= DOUBTFUL else f"fits {shown}, as much else would"
    return f"adapted from {origin}" if origin else ""

"""How a person is told where a body comes from that the model did not write."""

from __future__ import annotations


def told_source(origin: str, examples: int) -> str:
    """The function it was adapted from, or the examples it was found by, in words; empty for what the model wrote."""
    if examples:
        return "fits the example" if examples == 1 else f"fits the {examples} examples"
    return f"adapted from {origin}" if origin else ""

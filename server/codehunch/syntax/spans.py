"""Half-open ranges of a source text, counted in Unicode code points."""

from __future__ import annotations

import attrs


@attrs.frozen(order=True)
class Span:
    """``text[start:end]``, in code points from the start of the text (a BOM is not part of it)."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def contains(self, other: Span) -> bool:
        """Whether ``other`` lies inside this span, borders included."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def touches(self, other: Span) -> bool:
        """Whether the two spans share a code point or a border."""
        return self.start <= other.end and other.start <= self.end

    def of(self, text: str) -> str:
        """The text the span covers."""
        return text[self.start : self.end]

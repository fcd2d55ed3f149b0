"""How long to wait for the next keystroke: as long as this person's typing suggests, and no longer."""

from __future__ import annotations

SHORTEST, LONGEST = 0.03, 0.3
_PAUSE = 0.3
"""A longer gap is a pause for thought and says nothing about the rhythm."""
_MEMORY = 0.3
_FACTOR = 1.25
_USUAL_GAP = 0.08


class TypingRhythm:
    """The gaps between the edits of one document, as a moving average. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._gap = _USUAL_GAP

    def edited(self, now: float) -> None:
        if self._last is not None and 0 < now - self._last < _PAUSE:
            self._gap += _MEMORY * (now - self._last - self._gap)
        self._last = now

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until the person has probably paused; 0 for a document that nobody edits."""
        if self._last is None:
            return 0.0
        quiet = min(LONGEST, max(SHORTEST, _FACTOR * self._gap))
        return max(0.0, self._last + quiet - now)

"""A suggestion as text at the cursor, for ghost text and list items alike."""

from __future__ import annotations

from codehunch.lsp.programs import View
from codehunch.lsp.suggestions import Suggestion
from codehunch.syntax.spans import Span


def at_cursor(view: View, offset: int, suggestion: Suggestion) -> tuple[str, Span] | None:
    """The text to insert and the place it replaces, which starts at the cursor: what lies before the cursor in the
    replaced place is already there. ``None`` where the place is not at the cursor, or not in this document.
    """
    text, place = suggestion.text, suggestion.replace
    if not suggestion.at_cursor or not view.holds(place):
        return None
    existing = view.program.source.text[place.start : offset]
    if text.startswith(existing):
        text, place = text[len(existing) :], Span(offset, place.end)
    return text, place

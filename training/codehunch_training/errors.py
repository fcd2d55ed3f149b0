"""What can go wrong for reasons a person can put right. The command line prints the message as it is."""

from __future__ import annotations


class ToolboxError(ValueError):
    """The message says what was wrong, where, and what to do."""

"""Words of the command line that its help lists; imports nothing heavy."""

from __future__ import annotations

from enum import StrEnum

STDIN = "-"
"""The path that means stdin, and the path of a text that came through it without a name."""


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class Level(StrEnum):
    """Sensitivities."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

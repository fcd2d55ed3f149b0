"""One version of one document, as work gets it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs

from codehunch.syntax.text import SourceText


@attrs.frozen(eq=False)
class Snapshot:
    """Compared by identity, since a document that was closed may come back with old numbers."""

    uri: str
    version: int
    language: str
    source: SourceText

    @property
    def path(self) -> Path | None:
        """Where the document lies on disk; ``None`` for untitled ones and other schemes."""
        return path_of(self.uri)


def path_of(uri: str) -> Path | None:
    """The path of a ``file:`` URI, ``None`` for anything else."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # Brackets without an address between them.
        return None
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    if os.name == "nt":  # file:///c%3A/x and file://host/share/x
        path = f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/")
    return Path(path) if path else None

"""One version of one document, as work gets it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

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
    path = local_path(uri, windows=os.name == "nt")
    return Path(path) if path else None


def local_path(uri: str, windows: bool) -> str:
    """The same as a string; empty for anything else. Bytes that are no text name the file that has them."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # Brackets without an address between them.
        return ""
    if parts.scheme != "file":
        return ""
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if windows:  # file:///c%3A/x and file://host/share/x
        return f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/")
    return path


def path_key(uri: str) -> str:
    """What two spellings of one file's URI share: editors do not agree on what has to be escaped. Others are their own
    key."""
    path = path_of(uri)
    return os.path.normcase(path) if path is not None else uri

"""The documents as the client has them. Edits arrive in order and are applied at once; work gets snapshots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs
from lsprotocol import types

from codehunch.lsp.positions import index_of_units
from codehunch.syntax.text import PositionEncoding, SourceText

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@attrs.frozen(eq=False)
class Snapshot:
    """One version of one document; compared by identity, since a closed document may come back with old numbers."""

    uri: str
    version: int
    language: str
    source: SourceText

    @property
    def path(self) -> Path | None:
        """Where the document lies on disk; ``None`` for untitled ones and other schemes."""
        return path_of(self.uri)


class TextModel:
    """A text as a list of lines that keep their ends. An edit costs the lines it touches, not the text."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE.findall(text)
        self._source: SourceText | None = SourceText(text)

    @property
    def source(self) -> SourceText:
        if self._source is None:
            self._source = SourceText("".join(self._lines))
        return self._source

    def replace(self, place: types.Range, text: str, encoding: PositionEncoding) -> None:
        """Replace a range in client coordinates. Places outside of the text mean its nearest end."""
        first, start = self._locate(place.start, encoding)
        last, end = self._locate(place.end, encoding)
        if (last, end) < (first, start):
            first, start, last, end = last, end, first, start
        lines = self._lines
        before = lines[first][:start] if first < len(lines) else ""
        after = lines[last][end:] if last < len(lines) else ""
        stop = last + 1
        # A line end may come together or fall apart at the borders: take in the neighbours it could concern.
        if not after and stop < len(lines):
            after = lines[stop]
            stop += 1
        if first and not before:
            first -= 1
            before = lines[first]
        lines[first:stop] = _LINE.findall(before + text + after)
        self._source = None

    def _locate(self, position: types.Position, encoding: PositionEncoding) -> tuple[int, int]:
        """Row and index in that row; the row after the last one stands for the end of the text."""
        row = position.line
        if row >= len(self._lines):
            # An unterminated last line has no row after it.
            if self._lines and self._lines[-1][-1] not in "\r\n":
                row = len(self._lines) - 1
                return row, len(self._lines[row])
            return len(self._lines), 0
        content = self._lines[row].rstrip("\r\n")
        return row, index_of_units(content, position.character, encoding)


@attrs.define
class _Document:
    language: str
    version: int
    model: TextModel
    snapshot: Snapshot


class DocumentStore:
    """The open documents. Not thread-safe: it belongs to the event loop."""

    def __init__(self, encoding: PositionEncoding = "utf-16") -> None:
        self.encoding: PositionEncoding = encoding
        self._documents: dict[str, _Document] = {}

    def open(self, item: types.TextDocumentItem) -> Snapshot:
        """A document the client now owns; opened twice, the later text stands."""
        model = TextModel(item.text)
        language = str(item.language_id)
        snapshot = Snapshot(item.uri, item.version, language, model.source)
        self._documents[item.uri] = _Document(language, item.version, model, snapshot)
        return snapshot

    def change(
        self,
        identifier: types.VersionedTextDocumentIdentifier,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> Snapshot | None:
        """The document after the changes, each seen from the text after the one before; ``None`` if not open."""
        document = self._documents.get(identifier.uri)
        if document is None:
            return None
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                document.model.replace(change.range, change.text, self.encoding)
            else:
                document.model = TextModel(change.text)
        document.version = identifier.version
        document.snapshot = Snapshot(identifier.uri, identifier.version, document.language, document.model.source)
        return document.snapshot

    def close(self, uri: str) -> bool:
        """Whether the document was open."""
        return self._documents.pop(uri, None) is not None

    def snapshot(self, uri: str) -> Snapshot | None:
        document = self._documents.get(uri)
        return document.snapshot if document is not None else None

    def is_current(self, snapshot: Snapshot) -> bool:
        """Whether nothing has happened to the document since the snapshot was taken."""
        return self.snapshot(snapshot.uri) is snapshot

    def __iter__(self) -> Iterator[Snapshot]:
        return iter([document.snapshot for document in self._documents.values()])

    def __len__(self) -> int:
        return len(self._documents)


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

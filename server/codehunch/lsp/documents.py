"""The documents and notebooks as the client has them. Edits are applied at once and in order; work gets snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs
from lsprotocol import types

from codehunch.lsp.programs import Part, View, join, view_of
from codehunch.lsp.snapshots import Snapshot, path_key
from codehunch.lsp.textmodel import TextModel
from codehunch.syntax.text import PositionEncoding

_NOTEBOOK_LANGUAGE = "python"


@attrs.define
class _Document:
    language: str
    model: TextModel
    snapshot: Snapshot


@attrs.define
class _Notebook:
    version: int
    cells: list[types.NotebookCell]
    program: Snapshot
    parts: tuple[Part, ...]


class DocumentStore:
    """What is open. Not thread-safe: it belongs to the event loop.

    A program is what is checked as one text: a document, or a notebook under its own URI.
    """

    def __init__(self, encoding: PositionEncoding = "utf-16") -> None:
        self.encoding: PositionEncoding = encoding
        self._documents: dict[str, _Document] = {}
        self._notebooks: dict[str, _Notebook] = {}
        self._notebook_of: dict[str, str] = {}

    def open(self, item: types.TextDocumentItem) -> Snapshot:
        """A document the client now owns; opened twice, the later text stands."""
        model = TextModel(item.text)
        language = str(item.language_id)
        snapshot = Snapshot(item.uri, item.version, language, model.source)
        self._documents[item.uri] = _Document(language, model, snapshot)
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
        document.snapshot = Snapshot(identifier.uri, identifier.version, document.language, document.model.source)
        return document.snapshot

    def close(self, uri: str) -> bool:
        """Whether the document was open."""
        return self._documents.pop(uri, None) is not None

    def open_notebook(self, notebook: types.NotebookDocument, texts: Sequence[types.TextDocumentItem]) -> Snapshot:
        """A notebook with its cells' texts. Returns its program."""
        self.close_notebook(notebook.uri, ())
        for item in texts:
            self.open(item)
        empty, parts = join(notebook.uri, notebook.version, _NOTEBOOK_LANGUAGE, ())
        self._notebooks[notebook.uri] = _Notebook(notebook.version, list(notebook.cells), empty, parts)
        return self._rebuilt(notebook.uri)

    def change_notebook(
        self, identifier: types.VersionedNotebookDocumentIdentifier, change: types.NotebookDocumentChangeEvent
    ) -> tuple[Snapshot, tuple[str, ...]] | None:
        """The program after a change and the URIs of cells that are gone; ``None`` if the notebook is not open."""
        notebook = self._notebooks.get(identifier.uri)
        if notebook is None:
            return None
        notebook.version = identifier.version
        before = {cell.document for cell in notebook.cells}
        cells = change.cells
        if cells is not None and cells.structure is not None:
            array = cells.structure.array
            notebook.cells[array.start : array.start + array.delete_count] = array.cells or ()
            for item in cells.structure.did_open or ():
                self.open(item)
            for closed in cells.structure.did_close or ():
                self.close(closed.uri)
        for data in (cells.data or ()) if cells is not None else ():
            notebook.cells = [data if cell.document == data.document else cell for cell in notebook.cells]
        for text in (cells.text_content or ()) if cells is not None else ():
            self.change(text.document, text.changes)
        gone = before - {cell.document for cell in notebook.cells}
        for uri in gone:
            self._notebook_of.pop(uri, None)
        return self._rebuilt(identifier.uri), tuple(sorted(gone))

    def close_notebook(self, uri: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Forget a notebook, and the given cells with it. Returns the URIs of the cells it had."""
        notebook = self._notebooks.pop(uri, None)
        for text in texts:
            self.close(text)
        cells = tuple(cell.document for cell in notebook.cells) if notebook is not None else ()
        for cell in cells:
            self._notebook_of.pop(cell, None)
            self.close(cell)
        return cells

    def snapshot(self, uri: str) -> Snapshot | None:
        """The current version of a document, or of a notebook's program."""
        notebook = self._notebooks.get(uri)
        if notebook is not None:
            return notebook.program
        document = self._documents.get(uri)
        return document.snapshot if document is not None else None

    def view(self, uri: str) -> View | None:
        """A document in its program; ``None`` if it is not open, or is a cell that holds no code."""
        document = self._documents.get(uri)
        if document is None:
            return None
        notebook = self._notebooks.get(self._notebook_of.get(uri, ""))
        if notebook is None:
            return view_of(document.snapshot)
        own = next((part for part in notebook.parts if part.snapshot.uri == uri), None)
        return View(notebook.program, notebook.parts, own) if own is not None else None

    def views(self, program: Snapshot) -> tuple[View, ...]:
        """All documents of a current program."""
        notebook = self._notebooks.get(program.uri)
        if notebook is None:
            return (view_of(program),)
        return tuple(View(notebook.program, notebook.parts, part) for part in notebook.parts)

    def spelling(self, uri: str) -> str:
        """The URI under which a file is open, which may be escaped in another way; else the one given."""
        if uri in self._documents:
            return uri
        key = path_key(uri)
        return next((each for each in self._documents if path_key(each) == key), uri)

    def is_current(self, snapshot: Snapshot) -> bool:
        """Whether nothing has happened to the document or program since the snapshot was taken."""
        return self.snapshot(snapshot.uri) is snapshot

    def programs(self) -> Iterator[Snapshot]:
        """All programs that are open."""
        for uri, document in list(self._documents.items()):
            if uri not in self._notebook_of:
                yield document.snapshot
        for notebook in list(self._notebooks.values()):
            yield notebook.program

    def __len__(self) -> int:
        return len(self._documents)

    def _rebuilt(self, uri: str) -> Snapshot:
        notebook = self._notebooks[uri]
        code = []
        for cell in notebook.cells:
            self._notebook_of[cell.document] = uri
            document = self._documents.get(cell.document)
            is_code = cell.kind == types.NotebookCellKind.Code
            if is_code and document is not None and document.language == _NOTEBOOK_LANGUAGE:
                code.append(document.snapshot)
        notebook.program, notebook.parts = join(uri, notebook.version, _NOTEBOOK_LANGUAGE, code)
        return notebook.program

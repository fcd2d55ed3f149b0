"""Storms on notebooks: cells come, go, move and change, and the program is always that of the cells as they stand."""

from __future__ import annotations

from typing import Any

import attrs
import text_reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.converters import get_converter
from text_storms import changes, encodings, texts

from codehunch.defects.findings import Edit
from codehunch.lsp.capabilities import Client
from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.rendering import workspace_edit
from codehunch.syntax.spans import Span
from codehunch.syntax.text import PositionEncoding

_CONVERTER = get_converter()
_BOOK = "file:///book.ipynb"

_edits = st.tuples(st.just("edit"), st.integers(0, 5), st.lists(changes, min_size=1, max_size=3))
_inserts = st.tuples(st.just("insert"), st.integers(0, 5), st.tuples(texts, st.booleans()))
_removes = st.tuples(st.just("remove"), st.integers(0, 5), st.none())
_strangers = st.tuples(st.just("stranger"), st.integers(0, 5), st.lists(changes, max_size=2))


@attrs.define
class _Cell:
    uri: str
    text: str
    is_code: bool


class _Book:
    """The notebook as a slow and obvious client keeps it."""

    def __init__(self, store: DocumentStore) -> None:
        self.store, self.cells = store, list[_Cell]()
        self.made, self.version = 0, 1
        store.open_notebook(
            _structured({"uri": _BOOK, "version": 1, "notebookType": "x", "cells": []}, types.NotebookDocument), []
        )

    def insert(self, at: int, text: str, is_code: bool) -> None:
        self.made += 1
        cell = _Cell(f"{_BOOK}#{self.made}", text, is_code)
        item = {"uri": cell.uri, "languageId": "python" if is_code else "markdown", "version": 0, "text": text}
        self.cells.insert(at, cell)
        listed = {"kind": 2 if is_code else 1, "document": cell.uri}
        self._tell({"structure": {"array": {"start": at, "deleteCount": 0, "cells": [listed]}, "didOpen": [item]}})

    def remove(self, at: int) -> None:
        cell = self.cells.pop(at)
        closed = [{"uri": cell.uri}]
        self._tell({"structure": {"array": {"start": at, "deleteCount": 1}, "didClose": closed}})

    def edit(self, uri: str, storm: list[dict[str, Any]], encoding: PositionEncoding) -> None:
        for cell in self.cells:
            if cell.uri == uri:
                cell.text = text_reference.apply(cell.text, storm, encoding)
        self._tell({"textContent": [{"document": {"uri": uri, "version": self.version}, "changes": storm}]})

    def _tell(self, cells: dict[str, Any]) -> None:
        self.version += 1
        identifier = types.VersionedNotebookDocumentIdentifier(self.version, _BOOK)
        change = _structured({"cells": cells}, types.NotebookDocumentChangeEvent)
        assert self.store.change_notebook(identifier, change) is not None


def _structured(value: Any, wanted: Any) -> Any:
    return _CONVERTER.structure(value, wanted)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_edits | _inserts | _inserts | _removes | _strangers, max_size=14), encodings)
def test_cells(steps: list[tuple[str, int, Any]], encoding: PositionEncoding) -> None:
    store = DocumentStore(encoding)
    book = _Book(store)
    for action, number, what in steps:
        at = number % max(1, len(book.cells))
        if action == "insert":
            book.insert(at, *what)
        elif action == "stranger":  # A document that nobody has opened.
            book.edit("file:///stranger.py", what, encoding)
            assert store.snapshot("file:///stranger.py") is None
        elif book.cells and action == "remove":
            book.remove(at)
        elif book.cells and action == "edit":
            book.edit(book.cells[at].uri, what, encoding)
        _agree(store, book)
    gone = [cell.uri for cell in book.cells]
    assert set(store.close_notebook(_BOOK, gone)) == set(gone)
    assert len(store) == 0


def _agree(store: DocumentStore, book: _Book) -> None:
    program = store.snapshot(_BOOK)
    assert program is not None
    assert program.version == book.version
    code = [cell for cell in book.cells if cell.is_code]
    # The pieces hold no magics and no shell lines, which would be blanked out.
    assert program.source.text == "".join(cell.text + "\n" for cell in code)
    views = store.views(program)
    assert [view.own.snapshot.uri for view in views] == [cell.uri for cell in code]
    client = Client(document_changes=True)
    for cell, view in zip(code, views, strict=True):
        snapshot = store.snapshot(cell.uri)
        assert snapshot is not None
        assert snapshot.source.text == cell.text
        # A place of the cell, through the program and back.
        whole = Span(view.to_program(0), view.to_program(len(cell.text)))
        assert view.locate(whole) == (snapshot, Span(0, len(cell.text))) or not len(whole)
        edit = workspace_edit(view, [Edit(whole, "")], client)
        assert edit is not None
        assert edit.document_changes
    for cell in book.cells:
        assert (store.view(cell.uri) is not None) == cell.is_code

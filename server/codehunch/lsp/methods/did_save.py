"""``textDocument/didSave``: a saved settings file counts from now on, a saved source is indexed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.snapshots import path_of
from codehunch.settings import PYPROJECT, SETTINGS_FILE

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidSaveTextDocumentParams) -> None:
    """Covers clients that do not watch files; the text itself is known from its edits."""
    path = path_of(params.text_document.uri)
    if path is not None and path.name in (SETTINGS_FILE, PYPROJECT):
        server.configuration.forget_files()
        server.apply_configuration()
    view = server.documents.view(params.text_document.uri)
    if view is not None:
        server.opinions.saved(view.program)
    server.scan.changed.set()
    server.index.touched([path])

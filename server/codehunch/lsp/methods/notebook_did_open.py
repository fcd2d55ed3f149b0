"""``notebookDocument/didOpen``: a notebook whose code cells are read as one program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """Take the cells' texts over; clients that do not pull get their findings."""
    server.analysis.forget(params.notebook_document.uri)
    program = server.documents.open_notebook(params.notebook_document, params.cell_text_documents)
    server.index.begin()
    if not server.client.pull_diagnostics:
        server.publisher.schedule(program)

"""``notebookDocument/didClose``: nothing of the notebook or its cells stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """Forget the notebook; clients that do not pull are told to clear its cells."""
    uri = params.notebook_document.uri
    cells = server.documents.close_notebook(uri, [cell.uri for cell in params.cell_text_documents])
    server.analysis.forget(uri)
    server.suggestions.forget(uri)
    server.opinions.forget(uri)
    server.publisher.cancel(uri)
    if not server.client.pull_diagnostics:
        for cell in cells:
            server.publisher.clear(cell)

"""``textDocument/didClose``: the disk is the truth again, and nothing of the document stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget the document; clients that do not pull are told to clear it."""
    uri = params.text_document.uri
    was_open = server.documents.close(uri)
    server.analysis.forget(uri)
    server.suggestions.forget(uri)
    server.opinions.forget(uri)
    server.scan.changed.set()
    if was_open and not server.client.pull_diagnostics:
        server.publisher.clear(uri)

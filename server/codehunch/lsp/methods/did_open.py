"""``textDocument/didOpen``: the text is the client's now, whatever the disk says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.indexing import LANGUAGES

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidOpenTextDocumentParams) -> None:
    """Take the text over; clients that do not pull get its findings."""
    server.analysis.forget(params.text_document.uri)
    snapshot = server.documents.open(params.text_document)
    if snapshot.language in LANGUAGES:
        server.index.begin()
    if server.client.pull_diagnostics:
        # What a scan has pushed about the file on disk would stand beside what is pulled from now on.
        server.publisher.withdraw(snapshot.uri)
    else:
        server.publisher.schedule(snapshot)

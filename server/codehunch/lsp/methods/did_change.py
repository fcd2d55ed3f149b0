"""``textDocument/didChange``: applied at once; whatever is computed for the old text ends here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


logger = logging.getLogger(__name__)


def handle(server: CodeHunchServer, params: types.DidChangeTextDocumentParams) -> None:
    """Edits of a document that is not open have no text to be applied to and are dropped."""
    before = server.documents.snapshot(params.text_document.uri)
    snapshot = server.documents.change(params.text_document, params.content_changes)
    if snapshot is None:
        logger.warning("ignored an edit of %s, which is not open", params.text_document.uri)
        return
    server.analysis.edited(snapshot.uri)
    server.suggestions.edited(before, snapshot)
    server.opinions.edited(before, snapshot)
    server.scan.changed.set()
    if not server.client.pull_diagnostics:
        server.publisher.schedule(snapshot)

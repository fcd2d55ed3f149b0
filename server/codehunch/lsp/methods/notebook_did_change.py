"""``notebookDocument/didChange``: cells come, go, move and are typed in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


logger = logging.getLogger(__name__)


def handle(server: CodeHunchServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """A change of one cell is a change of the program; findings of cells that are gone are cleared."""
    before = server.documents.snapshot(params.notebook_document.uri)
    changed = server.documents.change_notebook(params.notebook_document, params.change)
    if changed is None:
        logger.warning("ignored a change of %s, which is not open", params.notebook_document.uri)
        return
    program, gone = changed
    server.analysis.edited(program.uri)
    server.suggestions.edited(before, program)
    server.opinions.edited(before, program)
    if not server.client.pull_diagnostics:
        for uri in gone:
            server.publisher.clear(uri)
        server.publisher.schedule(program)

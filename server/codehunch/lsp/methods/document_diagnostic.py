"""``textDocument/diagnostic``: the findings of the current version, or the news that it is current no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.analysis import Superseded
from codehunch.lsp.errors import superseded
from codehunch.lsp.rendering import draw

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(
    server: CodeHunchServer, params: types.DocumentDiagnosticParams
) -> types.RelatedFullDocumentDiagnosticReport | types.RelatedUnchangedDocumentDiagnosticReport:
    """A full report, or Unchanged where the client would draw the same; -32802 once the document has moved on."""
    view = server.documents.view(params.text_document.uri)
    if view is None:
        return types.RelatedFullDocumentDiagnosticReport(items=[])
    try:
        report = await server.analysis.report(view.program)
    except Superseded:
        raise superseded() from None
    if not server.documents.is_current(view.program):
        raise superseded()
    diagnostics, result_id = draw(view, report, server.client, server.style(report.sure))
    if result_id == params.previous_result_id:
        return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result_id)
    return types.RelatedFullDocumentDiagnosticReport(items=diagnostics, result_id=result_id)

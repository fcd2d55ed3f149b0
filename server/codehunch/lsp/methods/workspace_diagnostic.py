"""``workspace/diagnostic``: the findings of every file, in portions, and again when something has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.inference.errors import Cancelled, WorkerError
from codehunch.inference.protocol import CancelToken
from codehunch.lsp.scanning import Scanned

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

Report = types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport


async def handle(server: CodeHunchServer, params: types.WorkspaceDiagnosticParams) -> types.WorkspaceDiagnosticReport:
    """Each file as soon as it is read, where the client takes partial results.

    A client that knows everything already is answered once something may have changed; until then its request
    stays open, as the protocol suggests for servers that push by being pulled.
    """
    if not server.offers_workspace_diagnostics:
        return types.WorkspaceDiagnosticReport([])
    known = {each.uri: each.value for each in params.previous_result_ids}
    if known:
        await server.scan.changed.wait()
    token, items, there = params.partial_result_token, list[Report](), set[str]()

    def tell(report: Report) -> None:
        if token is None:
            items.append(report)
        else:
            server.progress(types.ProgressParams(token, types.WorkspaceDiagnosticReportPartialResult([report])))

    cancel = CancelToken()
    try:
        async for scanned in server.scan.run(cancel):
            there.add(scanned.uri)
            tell(_report(scanned, known.get(scanned.uri)))
        # Files that are gone, or not read any more, show nothing.
        for uri in known.keys() - there:
            tell(types.WorkspaceFullDocumentDiagnosticReport(uri=uri, items=[], version=None))
    except WorkerError as error:
        server.worker_failed(error)
    except Cancelled:
        pass
    finally:
        cancel.cancel()
    return types.WorkspaceDiagnosticReport(items)


def _report(scanned: Scanned, known: str | None) -> Report:
    if scanned.result_id == known:
        return types.WorkspaceUnchangedDocumentDiagnosticReport(
            uri=scanned.uri, result_id=scanned.result_id, version=scanned.version
        )
    return types.WorkspaceFullDocumentDiagnosticReport(
        uri=scanned.uri, items=scanned.diagnostics, result_id=scanned.result_id, version=scanned.version
    )

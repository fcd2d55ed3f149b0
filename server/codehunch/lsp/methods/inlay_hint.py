"""``textDocument/inlayHint``: behind a flagged place, what the model would write there. Off unless wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.defects.findings import Finding
from codehunch.lsp.positions import position_of, span_of
from codehunch.lsp.programs import View
from codehunch.lsp.rendering import own_findings, range_in

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

_LONGEST = 30


def handle(server: CodeHunchServer, params: types.InlayHintParams) -> list[types.InlayHint] | None:
    """Answers from what is known about this version. Accepting a hint makes its edits."""
    view = server.documents.view(params.text_document.uri)
    report = server.analysis.known(view.program) if view is not None else None
    if view is None or report is None or not server.configuration.editor.inlay_hints:
        return None
    asked = span_of(view.own.snapshot.source, params.range, server.client.encoding)
    start, end = view.to_program(asked.start), view.to_program(asked.end)
    return [
        _hint(server, view, finding)
        for finding in own_findings(view, report.findings)
        if finding.fixes and start <= finding.span.end <= end
    ]


def _hint(server: CodeHunchServer, view: View, finding: Finding) -> types.InlayHint:
    best = finding.fixes[0]
    contents = " ".join(" ".join(edit.content for edit in best.edits).split())
    edits = [types.TextEdit(range_in(view, edit.span, server.client), edit.content) for edit in best.edits]
    inside = all(view.holds(edit.span) for edit in best.edits)
    return types.InlayHint(
        position=position_of(view.own.snapshot.source, finding.span.end - view.own.start, server.client.encoding),
        label=f"{contents}?" if 0 < len(contents) <= _LONGEST else "?",
        tooltip=f"{finding.message} ({finding.confidence:.0%})",
        text_edits=edits if inside else None,
        padding_left=True,
    )

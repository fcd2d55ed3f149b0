"""``textDocument/codeAction``: verified fixes of findings, and a body for what is described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.defects.findings import Finding, Fix
from codehunch.lsp.documents import Snapshot
from codehunch.lsp.positions import span_of
from codehunch.lsp.rendering import PREFERRED_MARGIN, diagnostics_of, text_edits, workspace_edit
from codehunch.lsp.requests import BodyPlace
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


GENERATE = "codehunch.generateBody"


async def handle(
    server: CodeHunchServer, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    """Answers from what is known about this version; a body is written only when its action is chosen."""
    snapshot = server.documents.snapshot(params.text_document.uri)
    if snapshot is None or not server.client.code_action_literals:
        return None
    span = span_of(snapshot.source, params.range, server.client.encoding)
    actions: list[types.CodeAction | types.Command] = []
    if _wanted(params, types.CodeActionKind.QuickFix):
        report = server.analysis.known(snapshot)
        for finding in report.findings if report is not None else ():
            if _touches(finding.span, span):
                actions += [
                    _fix(server, snapshot, finding, fix, best=index == 0) for index, fix in enumerate(finding.fixes)
                ]
    if _wanted(params, types.CodeActionKind.RefactorRewrite):
        place = await server.suggestions.place(snapshot, span.start)
        if place is not None and server.documents.is_current(snapshot):
            actions.append(_body(server, snapshot, place, params.range.start))
    return actions


def _fix(server: CodeHunchServer, snapshot: Snapshot, finding: Finding, fix: Fix, best: bool) -> types.CodeAction:
    edits = text_edits(snapshot, fix, server.client)
    preferred = best and fix.margin >= PREFERRED_MARGIN
    return types.CodeAction(
        title=fix.message,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=diagnostics_of(snapshot, [finding], server.client),
        is_preferred=True if preferred and server.client.is_preferred else None,
        edit=workspace_edit(snapshot, edits, server.client),
    )


def _body(server: CodeHunchServer, snapshot: Snapshot, place: BodyPlace, position: types.Position) -> types.CodeAction:
    title = f"Generate body from {place.described_by}"
    action = types.CodeAction(title=title, kind=types.CodeActionKind.RefactorRewrite)
    if server.client.llm_generated_tag:
        action.tags = [types.CodeActionTag.LlmGenerated]
    where = {"uri": snapshot.uri, "line": position.line, "character": position.character}
    if server.client.code_action_resolves_edit and server.client.code_action_data:
        action.data = {"generate": {**where, "version": snapshot.version}}
    else:
        action.command = types.Command(title, GENERATE, arguments=[where])
    return action


def _wanted(params: types.CodeActionParams, kind: types.CodeActionKind) -> bool:
    """Kinds are hierarchical: who asks for ``refactor`` gets ``refactor.rewrite``."""
    only = params.context.only
    return only is None or any(
        value == "" or kind.value == value or kind.value.startswith(f"{value}.")
        for value in (getattr(each, "value", each) for each in only)
    )


def _touches(finding: Span, asked: Span) -> bool:
    return finding.start <= asked.end and asked.start <= finding.end

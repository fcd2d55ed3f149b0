"""``textDocument/codeAction``: verified fixes, ways to silence a finding, and a body for what is described."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.inference.errors import WorkerError
from codehunch.inference.protocol import INTERACTIVE
from codehunch.lsp.positions import span_of
from codehunch.lsp.programs import View
from codehunch.lsp.rendering import PREFERRED_MARGIN, diagnostics_of, own_findings, workspace_edit
from codehunch.lsp.requests import BodyPlace, Flagged, Offers, OffersQuery, Silence
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


GENERATE = "codehunch.generateBody"
_OFFERS_SECONDS = 0.25


async def handle(
    server: CodeHunchServer, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    """Answers from what is known about this version; a body is written only when its action is chosen."""
    view = server.documents.view(params.text_document.uri)
    if view is None or not server.client.code_action_literals:
        return None
    local = span_of(view.own.snapshot.source, params.range, server.client.encoding)
    asked = Span(view.to_program(local.start), view.to_program(local.end))
    report = server.analysis.known(view.program)
    findings = own_findings(view, report.findings) if report is not None else []
    touched = [finding for finding in findings if _touches(finding.span, asked)]
    fixes = _wanted(params, types.CodeActionKind.QuickFix)
    bodies = _wanted(params, types.CodeActionKind.RefactorRewrite) and server.configuration.editor.generation
    offers = Offers()
    if (fixes and touched) or bodies:
        offers = await _offers(server, view, asked.start, touched)
    if not server.documents.is_current(view.program):
        return None
    actions: list[types.CodeAction | None] = []
    if fixes:
        for finding in touched:
            actions += [_fix(server, view, finding, fix, index == 0) for index, fix in enumerate(finding.fixes)]
        actions += [_fix_all(server, view, code, findings) for code in dict.fromkeys(each.code for each in touched)]
        for finding, silence in zip(touched, offers.silences, strict=False):
            actions += _silence(server, view, finding, silence)
    if bodies and offers.place is not None:
        actions.append(_body(server, view, offers.place, params.range.start))
    return [action for action in actions if action is not None]


async def _offers(server: CodeHunchServer, view: View, offset: int, touched: list[Finding]) -> Offers:
    """What the worker knows to offer; nothing where it is too busy to say so in time."""
    source = view.program.source
    flagged = tuple(Flagged(each.code, each.kind, source.row_of(each.span.start)) for each in touched)
    query = OffersQuery(source.text, view.program.language, offset, flagged)
    try:
        async with asyncio.timeout(_OFFERS_SECONDS):
            offers = await server.engine.call("offers", query, priority=INTERACTIVE)
    except (TimeoutError, WorkerError):
        return Offers()
    return offers if isinstance(offers, Offers) else Offers()


def _fix(server: CodeHunchServer, view: View, finding: Finding, fix: Fix, best: bool) -> types.CodeAction | None:
    preferred = best and fix.margin >= PREFERRED_MARGIN
    return _quick_fix(server, view, fix.message, fix.edits, [finding], preferred)


def _fix_all(server: CodeHunchServer, view: View, code: str, findings: list[Finding]) -> types.CodeAction | None:
    """The best fix of every finding of a kind; one for each place, since edits must not overlap."""
    chosen: list[Finding] = []
    edits: list[Edit] = []
    for finding in findings:
        best = finding.fixes[0].edits if finding.code == code and finding.fixes else ()
        if best and not any(_touches(edit.span, other.span) for edit in best for other in edits):
            chosen.append(finding)
            edits.extend(best)
    if len(chosen) < 2:
        return None
    return _quick_fix(server, view, f"Fix all {len(chosen)} {code} in this file", tuple(edits), chosen)


def _silence(server: CodeHunchServer, view: View, finding: Finding, silence: Silence) -> list[types.CodeAction | None]:
    return [
        _quick_fix(server, view, f"Ignore {finding.code} {where}", (edit,), [finding])
        for where, edit in (("on this line", silence.line), ("in this file", silence.file))
        if edit is not None
    ]


def _quick_fix(
    server: CodeHunchServer,
    view: View,
    title: str,
    edits: tuple[Edit, ...],
    findings: list[Finding],
    preferred: bool = False,
) -> types.CodeAction | None:
    edit = workspace_edit(view, edits, server.client)
    if edit is None:
        return None
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=diagnostics_of(view, findings, server.client),
        is_preferred=True if preferred and server.client.is_preferred else None,
        edit=edit,
    )


def _body(server: CodeHunchServer, view: View, place: BodyPlace, position: types.Position) -> types.CodeAction:
    title = f"Generate body from {place.described_by}"
    action = types.CodeAction(title=title, kind=types.CodeActionKind.RefactorRewrite)
    if server.client.llm_generated_tag:
        action.tags = [types.CodeActionTag.LlmGenerated]
    document = view.own.snapshot
    where = {"uri": document.uri, "line": position.line, "character": position.character}
    if server.client.code_action_resolves_edit and server.client.code_action_data:
        action.data = {"generate": {**where, "version": document.version}}
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

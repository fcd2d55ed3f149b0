"""``textDocument/codeAction``: verified fixes, ways to silence a finding, and a body for what is described."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
from lsprotocol import types

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.imports import together
from codehunch.inference.errors import WorkerError
from codehunch.inference.protocol import INTERACTIVE
from codehunch.lsp.capabilities import Client
from codehunch.lsp.commands import CONFIRM, DISMISS, GENERATE
from codehunch.lsp.positions import span_of
from codehunch.lsp.programs import View
from codehunch.lsp.rendering import CONFIDENT, PREFERRED_MARGIN, Style, diagnostics_of, own_findings, workspace_edit
from codehunch.lsp.requests import Flagged, Offers, OffersQuery, Silence
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

_OFFERS_SECONDS = 0.25
_NO_DEFECT = "not a defect, never show it again"
_TRUE_DEFECT = "a true defect, remember it for retraining"


@attrs.frozen
class _Scene:
    """What every action is made for."""

    view: View
    client: Client
    style: Style


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
    touched = [finding for finding in findings if finding.span.touches(asked)]
    fixes = _wanted(params, types.CodeActionKind.QuickFix)
    bodies = _wanted(params, types.CodeActionKind.RefactorRewrite) and server.configuration.editor.generation
    offers = Offers()
    if (fixes and touched) or bodies:
        offers = await _offers(server, view, asked.start, touched)
    if not server.documents.is_current(view.program):
        return None
    scene = _Scene(view, server.client, server.style(report.sure if report is not None else CONFIDENT))
    actions: list[types.CodeAction | None] = []
    if fixes:
        for finding in touched:
            actions += [_fix(scene, finding, fix, index == 0) for index, fix in enumerate(finding.fixes)]
        actions += [_fix_all(scene, code, findings) for code in dict.fromkeys(each.code for each in touched)]
        for finding, silence in zip(touched, offers.silences, strict=False):
            actions += _silence(scene, finding, silence)
        actions += [_opinion(scene, each, _NO_DEFECT, DISMISS) for each in touched if each.fingerprint]
        if server.configuration.editor.record_feedback:
            unsaid = [each for each in touched if each.fingerprint and not server.opinions.confirmed(each)]
            actions += [_opinion(scene, each, _TRUE_DEFECT, CONFIRM) for each in unsaid]
        if report is not None:
            offered = [(finding, fix) for finding in touched for fix in finding.fixes]
            server.opinions.offered(view.program, offered, report.bundle)
    if bodies and offers.place is not None:
        actions.append(_body(scene, f"Generate body from {offers.place.described_by}", "generate", params.range.start))
    if bodies and server.suggestions.memory.written_at(view.program, asked.start) is not None:
        actions.append(_body(scene, "Regenerate body", "regenerate", params.range.start))
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


def _fix(scene: _Scene, finding: Finding, fix: Fix, best: bool) -> types.CodeAction | None:
    preferred = best and fix.margin >= PREFERRED_MARGIN
    return _quick_fix(scene, fix.message, fix.edits, [finding], preferred)


def _fix_all(scene: _Scene, code: str, findings: list[Finding]) -> types.CodeAction | None:
    """The best fix of every finding of a kind; of those that can be applied together."""
    chosen: list[Finding] = []
    for finding in findings:
        best = finding.fixes[0] if finding.code == code and finding.fixes else None
        if best is not None and best.edits and not any(best.collides(each.fixes[0]) for each in chosen):
            chosen.append(finding)
    if len(chosen) < 2:
        return None
    edits = together([finding.fixes[0] for finding in chosen])
    return _quick_fix(scene, f"Fix all {len(chosen)} {code} in this file", edits, chosen)


def _silence(scene: _Scene, finding: Finding, silence: Silence) -> list[types.CodeAction | None]:
    return [
        _quick_fix(scene, f"Ignore {finding.code} {where}", (edit,), [finding])
        for where, edit in (("on this line", silence.line), ("in this file", silence.file))
        if edit is not None
    ]


def _quick_fix(
    scene: _Scene,
    title: str,
    edits: tuple[Edit, ...],
    findings: list[Finding],
    preferred: bool = False,
) -> types.CodeAction | None:
    edit = workspace_edit(scene.view, edits, scene.client)
    if edit is None:
        return None
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=diagnostics_of(scene.view, findings, scene.client, scene.style),
        is_preferred=True if preferred and scene.client.is_preferred else None,
        edit=edit,
    )


def _opinion(scene: _Scene, finding: Finding, words: str, command: str) -> types.CodeAction:
    title = f"{finding.code}: {words}"
    where = {"uri": scene.view.own.snapshot.uri, "fingerprint": finding.fingerprint}
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=diagnostics_of(scene.view, [finding], scene.client, scene.style),
        command=types.Command(title, command, arguments=[where]),
    )


def _body(scene: _Scene, title: str, what: str, position: types.Position) -> types.CodeAction:
    action = types.CodeAction(title=title, kind=types.CodeActionKind.RefactorRewrite)
    if scene.client.llm_generated_tag:
        action.tags = [types.CodeActionTag.LlmGenerated]
    document = scene.view.own.snapshot
    where = {"uri": document.uri, "line": position.line, "character": position.character}
    if scene.client.code_action_resolves_edit and scene.client.code_action_data:
        action.data = {what: {**where, "version": document.version}}
    else:
        again = {"regenerate": True} if what == "regenerate" else {}
        action.command = types.Command(title, GENERATE, arguments=[{**where, **again}])
    return action


def _wanted(params: types.CodeActionParams, kind: types.CodeActionKind) -> bool:
    """Kinds are hierarchical: who asks for ``refactor`` gets ``refactor.rewrite``."""
    only = params.context.only
    return only is None or any(
        value == "" or kind.value == value or kind.value.startswith(f"{value}.")
        for value in (getattr(each, "value", each) for each in only)
    )

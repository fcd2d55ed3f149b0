"""Findings as the client shows them. Spans become ranges here and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from lsprotocol import types

from codehunch.defects.findings import Finding, Fix
from codehunch.lsp.capabilities import Client
from codehunch.lsp.documents import Snapshot
from codehunch.lsp.positions import range_of
from codehunch.rules_pages import rule_uri

SOURCE = "codehunch"
CONFIDENT = 0.8
"""From here on a finding is a warning; below, it is information."""
PREFERRED_MARGIN = 0.5
"""A fix whose rewritten function reads that much cleaner is the one an editor may apply by a single key."""

_rule_uri = lru_cache(rule_uri)


def diagnostics_of(snapshot: Snapshot, findings: Iterable[Finding], client: Client) -> list[types.Diagnostic]:
    """One diagnostic per finding, in the client's coordinates and within its capabilities."""
    return [_diagnostic(snapshot, finding, client) for finding in findings]


def result_id_of(diagnostics: list[types.Diagnostic]) -> str:
    """Names exactly what the client would see: equal ids mean that nothing has to be drawn again."""
    return hashlib.sha256(repr(diagnostics).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def severity_of(finding: Finding) -> types.DiagnosticSeverity:
    """Never an error: a hunch may be wrong, and the program may be right."""
    if finding.confidence >= CONFIDENT:
        return types.DiagnosticSeverity.Warning
    return types.DiagnosticSeverity.Information


def text_edits(snapshot: Snapshot, fix: Fix, client: Client) -> list[types.TextEdit]:
    return [types.TextEdit(range_of(snapshot.source, edit.span, client.encoding), edit.content) for edit in fix.edits]


def workspace_edit(snapshot: Snapshot, edits: list[types.TextEdit], client: Client) -> types.WorkspaceEdit:
    """Edits of one document, bound to the version they were made for where the client knows such edits."""
    if client.document_changes:
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=snapshot.version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, list(edits))])
    return types.WorkspaceEdit(changes={snapshot.uri: edits})


def _diagnostic(snapshot: Snapshot, finding: Finding, client: Client) -> types.Diagnostic:
    uri = _rule_uri(finding.code) if client.code_description else None
    related = None
    if client.related_information and finding.evidence:
        related = [
            types.DiagnosticRelatedInformation(
                types.Location(snapshot.uri, range_of(snapshot.source, span, client.encoding)),
                f"`{span.of(snapshot.source.text)}` is used here",
            )
            for span in finding.evidence
        ]
    return types.Diagnostic(
        range=range_of(snapshot.source, finding.span, client.encoding),
        message=finding.message,
        severity=severity_of(finding),
        code=finding.code,
        code_description=types.CodeDescription(uri) if uri is not None else None,
        source=SOURCE,
        related_information=related,
        data=_data(snapshot, finding, client) if client.diagnostic_data else None,
    )


def _data(snapshot: Snapshot, finding: Finding, client: Client) -> dict[str, Any]:
    """What a tool may want beyond the standard fields. Plain JSON."""
    return {
        "kind": finding.kind,
        "confidence": round(finding.confidence, 4),
        "function": finding.function,
        "fixes": [
            {
                "message": fix.message,
                "margin": round(fix.margin, 4),
                "edits": [_plain_edit(edit) for edit in text_edits(snapshot, fix, client)],
            }
            for fix in finding.fixes
        ],
    }


def _plain_edit(edit: types.TextEdit) -> dict[str, Any]:
    start, end = edit.range.start, edit.range.end
    return {
        "range": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
        "newText": edit.new_text,
    }

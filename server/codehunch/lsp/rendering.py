"""Findings and edits as the client takes them. Spans become ranges here and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs
from lsprotocol import types

from codehunch.defects.findings import Edit, Finding
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.lsp.analysis import Report
from codehunch.lsp.capabilities import Client
from codehunch.lsp.positions import range_of
from codehunch.lsp.programs import View
from codehunch.lsp.snapshots import Snapshot
from codehunch.rules_pages import rule_uri
from codehunch.syntax.spans import Span

SOURCE = "codehunch"
CONFIDENT = 0.8
"""From here on a finding is a warning, whatever the bundle's alarm budget says."""
PREFERRED_MARGIN = 0.5
"""A fix whose rewritten function reads that much cleaner is the one an editor may apply by a single key."""

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}
_rule_uri = lru_cache(rule_uri)


@attrs.frozen
class Style:
    """How strongly findings are shown."""

    sure: float = CONFIDENT
    """From this confidence on a finding is a warning."""
    severities: Mapping[str, str] = attrs.field(factory=dict)
    """Rule code to what the person wants it to be."""


def own_findings(view: View, findings: Iterable[Finding]) -> list[Finding]:
    """Those of a program's findings that lie in one document of it."""
    return [finding for finding in findings if view.holds(finding.span)]


def diagnostics_of(view: View, findings: Iterable[Finding], client: Client, style: Style) -> list[types.Diagnostic]:
    """One diagnostic per finding of this document, in the client's coordinates and within its capabilities."""
    return [_diagnostic(view, finding, client, style) for finding in own_findings(view, findings)]


def draw(view: View, report: Report, client: Client, style: Style) -> tuple[list[types.Diagnostic], str]:
    """The diagnostics of one document of the report's program and their result id; made once."""
    uri = view.own.snapshot.uri
    if uri not in report.drawn:
        made = diagnostics_of(view, report.findings, client, style)
        report.drawn[uri] = made, result_id_of(made)
    return report.drawn[uri]


def result_id_of(diagnostics: list[types.Diagnostic]) -> str:
    """Names exactly what the client would see: equal ids mean that nothing has to be drawn again."""
    return hashlib.sha256(repr(diagnostics).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def severity_of(finding: Finding, style: Style) -> types.DiagnosticSeverity:
    """A warning for what is likely, or reported even at low sensitivity; information for the rest.

    Never an error unless the person says so: a hunch may be wrong, and the program may be right.
    """
    wanted = style.severities.get(finding.code)
    if wanted is not None:
        return _SEVERITIES[wanted]
    if finding.confidence >= min(style.sure, CONFIDENT):
        return types.DiagnosticSeverity.Warning
    return types.DiagnosticSeverity.Information


def range_in(view: View, span: Span, client: Client) -> types.Range:
    """The range of a place of the program that lies in this document."""
    start = view.own.start
    return range_of(view.own.snapshot.source, Span(span.start - start, span.end - start), client.encoding)


def workspace_edit(view: View, edits: Sequence[Edit], client: Client) -> types.WorkspaceEdit | None:
    """Edits of a program, each in the document it falls into; ``None`` if one falls between two.

    They are bound to the versions they were made for where the client knows such edits.
    """
    documents: dict[str, tuple[Snapshot, list[types.TextEdit]]] = {}
    for edit in edits:
        found = view.locate(edit.span)
        if found is None:
            return None
        snapshot, span = found
        made = types.TextEdit(range_of(snapshot.source, span, client.encoding), edit.content)
        documents.setdefault(snapshot.uri, (snapshot, []))[1].append(made)
    if not client.document_changes:
        return types.WorkspaceEdit(changes={uri: made for uri, (_, made) in documents.items()})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=snapshot.version), list(made)
            )
            for uri, (snapshot, made) in documents.items()
        ]
    )


def _diagnostic(view: View, finding: Finding, client: Client, style: Style) -> types.Diagnostic:
    uri = _rule_uri(finding.code) if client.code_description else None
    return types.Diagnostic(
        range=range_in(view, finding.span, client),
        message=finding.message,
        severity=severity_of(finding, style),
        code=finding.code,
        code_description=types.CodeDescription(uri) if uri is not None else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if client.unnecessary_tag and _is_too_much(finding) else None,
        related_information=_related(view, finding, client) or None,
        data=_data(view, finding, client) if client.diagnostic_data else None,
    )


def _is_too_much(finding: Finding) -> bool:
    """Whether the best fix does nothing but take the flagged place away, such as a `not` too many."""
    edits = finding.fixes[0].edits if finding.fixes else ()
    return any(edit.span.contains(finding.span) for edit in edits) and not any(edit.content for edit in edits)


def _related(view: View, finding: Finding, client: Client) -> list[types.DiagnosticRelatedInformation]:
    """Where the evidence lies."""
    related = []
    for span in finding.evidence if client.related_information else ():
        found = view.locate(span)
        if found is not None:
            snapshot, local = found
            place = types.Location(snapshot.uri, range_of(snapshot.source, local, client.encoding))
            said = "is the example" if finding.code == OF_EXAMPLES.code else "is used here"
            message = f"`{local.of(snapshot.source.text)}` {said}"
            related.append(types.DiagnosticRelatedInformation(place, message))
    return related


def _data(view: View, finding: Finding, client: Client) -> dict[str, Any]:
    """What a tool may want beyond the standard fields. Plain JSON."""
    return {
        "kind": finding.kind,
        "fingerprint": finding.fingerprint,
        "confidence": round(finding.confidence, 4),
        "function": finding.function,
        "fixes": [
            {
                "message": fix.message,
                "margin": round(fix.margin, 4),
                "edits": [
                    {"range": _plain(range_in(view, edit.span, client)), "newText": edit.content} for edit in fix.edits
                ],
            }
            for fix in finding.fixes
            if all(view.holds(edit.span) for edit in fix.edits)
        ],
    }


def _plain(place: types.Range) -> dict[str, dict[str, int]]:
    return {
        name: {"line": position.line, "character": position.character}
        for name, position in (("start", place.start), ("end", place.end))
    }

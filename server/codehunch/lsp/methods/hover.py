"""``textDocument/hover``: what a finding says, why, and how to silence it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.defects.findings import Finding
from codehunch.defects.kinds import kind_of_code
from codehunch.lsp.positions import offset_of
from codehunch.lsp.rendering import own_findings, range_in
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.languages import language_named

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.HoverParams) -> types.Hover | None:
    """Answers from what is known about this version; nothing is computed while a person points at text."""
    view = server.documents.view(params.text_document.uri)
    report = server.analysis.known(view.program) if view is not None else None
    if view is None or report is None:
        return None
    offset = view.to_program(offset_of(view.own.snapshot.source, params.position, server.client.encoding))
    found = [each for each in own_findings(view, report.findings) if each.span.start <= offset <= each.span.end]
    if not found:
        return None
    markdown = server.client.hover_markdown
    text = "\n\n---\n\n".join(_explain(each, view.program, markdown) for each in found)
    kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, text), range_in(view, found[0].span, server.client))


def _explain(finding: Finding, program: Snapshot, markdown: bool) -> str:
    text = finding.span.of(program.source.text)
    comment = f"{language_named(program.language).comment} codehunch: ignore[{finding.code}]"
    code = "`" if markdown else ""
    strong = "**" if markdown else ""
    lines = [
        f"{strong}{finding.code} {finding.kind}{strong}: {_title(finding)}",
        finding.message,
        f"Confidence: {confidence_in_words(finding.confidence)} ({finding.confidence:.0%})",
    ]
    if finding.alternatives:
        lines.append(
            "\n".join(
                [
                    f"What the model expects in place of {_quoted(text, code)}:",
                    *(f"- {_quoted(each.text, code)} {each.probability:.0%}" for each in finding.alternatives),
                ]
            )
        )
    lines.append(f"To silence it, end the line with {code}{comment}{code}")
    return "\n\n".join(lines)


def confidence_in_words(confidence: float) -> str:
    """A number for people who do not think in probabilities."""
    for least, words in ((0.95, "almost certain"), (0.8, "likely"), (0.6, "more likely than not")):
        if confidence >= least:
            return words
    return "a hunch"


def _title(finding: Finding) -> str:
    try:
        return kind_of_code(finding.code).title
    except KeyError:
        return finding.kind.replace("-", " ")


def _quoted(text: str, mark: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{mark}{shown}{mark}" if "\n" not in shown and "`" not in shown else repr(shown)

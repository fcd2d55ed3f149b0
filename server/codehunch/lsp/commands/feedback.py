"""Opinions by command: a finding that is none, the way back, and one that is a defect indeed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codehunch.defects.findings import Finding
from codehunch.lsp.commands import open_view, table_of
from codehunch.lsp.errors import content_modified, failed
from codehunch.lsp.snapshots import Snapshot

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def dismiss_finding(server: CodeHunchServer, arguments: list[Any]) -> bool:
    """Never show the finding ``{"uri", "fingerprint"}`` again, here and on the command line."""
    program, finding, bundle = _named(server, arguments)
    try:
        await server.opinions.dismiss(program, finding, bundle)
    except OSError as error:
        raise failed(f"the dismissal could not be written down: {error}") from None
    server.redraw()
    return True


async def confirm_finding(server: CodeHunchServer, arguments: list[Any]) -> bool:
    """Remember for retraining that the finding ``{"uri", "fingerprint"}`` is a defect."""
    program, finding, bundle = _named(server, arguments)
    try:
        await server.opinions.confirm(program, finding, bundle)
    except OSError as error:
        raise failed(f"that could not be written down: {error}") from None
    return True


def _named(server: CodeHunchServer, arguments: list[Any]) -> tuple[Snapshot, Finding, str]:
    """The text, the finding and the model that said it. Raises ContentModified where it is shown no more."""
    table = table_of(arguments, "uri", "fingerprint")
    view = open_view(server, table)
    report = server.analysis.known(view.program)
    wanted = str(table["fingerprint"])
    finding = next((each for each in report.findings if each.fingerprint == wanted), None) if report else None
    if report is None or finding is None:
        raise content_modified()
    return view.program, finding, report.bundle


async def restore_dismissed(server: CodeHunchServer, arguments: list[Any]) -> int:
    """Show everything that was dismissed in ``{"uri"}`` again; returns how many events are erased."""
    view = open_view(server, table_of(arguments, "uri"))
    try:
        count = await server.opinions.restore(view.program)
    except OSError as error:
        raise failed(f"the dismissals could not be taken back: {error}") from None
    server.redraw()
    return count

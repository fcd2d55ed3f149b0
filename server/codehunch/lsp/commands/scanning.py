"""Reading the whole workspace by command, and the report of what was found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codehunch.inference.errors import Cancelled, WorkerError
from codehunch.inference.protocol import CancelToken
from codehunch.lsp.commands.session import show_document
from codehunch.lsp.errors import failed
from codehunch.lsp.notices import Progress
from codehunch.lsp.scan_report import write_report
from codehunch.lsp.scanning import Scanned

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def scan_workspace(server: CodeHunchServer, arguments: list[Any]) -> dict[str, object]:
    """Read every file of the workspace and show what is found, open or not. The person can stop it."""
    scanned, cancelled = await _scan(server, show=True)
    return {
        "files": len(scanned),
        "findings": sum(len(each.diagnostics) for each in scanned),
        "cancelled": cancelled,
    }


async def open_report(server: CodeHunchServer, arguments: list[Any]) -> str:
    """Read what has changed since the last scan, write all findings into one Markdown page and open it.

    Returns the page's path, for editors that do not open files for a server.
    """
    scanned, cancelled = await _scan(server, show=False)
    try:
        path = await asyncio.to_thread(write_report, server.roots, scanned, cancelled)
    except OSError as error:
        raise failed(f"the report could not be written: {error}") from None
    if server.client.show_document:
        await show_document(server, path)
    return str(path)


async def _scan(server: CodeHunchServer, show: bool) -> tuple[list[Scanned], bool]:
    cancel = CancelToken()
    progress = Progress(server, "scanning the workspace", cancel)
    server.status.set("busy", "scanning the workspace")
    found: list[Scanned] = []
    count = 0
    try:
        async for scanned in server.scan.run(cancel):
            found.append(scanned)
            count += len(scanned.diagnostics)
            if show and scanned.version is None and not server.offers_workspace_diagnostics:
                server.publisher.scanned(scanned.uri, scanned.diagnostics)
            progress.report(f"{len(found)} files, {count} findings")
        server.status.set("ready")
    except WorkerError as error:
        server.worker_failed(error)
        raise failed(str(error)) from None
    except (Cancelled, asyncio.CancelledError) as error:
        # By the progress bar, or by the request itself.
        server.status.set("ready")
        if isinstance(error, asyncio.CancelledError):
            raise
    finally:
        cancelled = cancel.cancelled
        cancel.cancel()
        progress.end(f"{len(found)} files, {count} findings")
    return found, cancelled

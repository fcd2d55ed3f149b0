"""``workspace/executeCommand``: what an editor can ask for by name."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types

from codehunch import __version__
from codehunch.defects.findings import Edit
from codehunch.inference.errors import Cancelled, WorkerError
from codehunch.inference.protocol import CancelToken
from codehunch.lsp.errors import content_modified, failed, invalid_params
from codehunch.lsp.methods.code_action import GENERATE
from codehunch.lsp.notices import Progress
from codehunch.lsp.positions import offset_of
from codehunch.lsp.rendering import workspace_edit

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


RESTART = "codehunch.restartWorker"
DEBUG = "codehunch.debugInformation"
SCAN = "codehunch.scanWorkspace"


async def handle(server: CodeHunchServer, params: types.ExecuteCommandParams) -> object:
    """Run a command of this server; any other name is an error of the request."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise invalid_params(f"there is no command {params.command!r}; this server has {', '.join(sorted(COMMANDS))}")
    return await command(server, list(params.arguments or ()))


async def restart_worker(server: CodeHunchServer, arguments: list[Any]) -> None:
    """Start afresh: models, bundles and settings are read anew."""
    await server.engine.restart()
    server.notices.forget()
    server.configuration.forget_files()
    server.apply_configuration()


async def debug_information(server: CodeHunchServer, arguments: list[Any]) -> dict[str, object]:
    """What a bug report needs: versions, the worker, the client. No source text."""
    worker: object = None
    if server.engine.pid is not None:
        try:
            worker = await asyncio.wait_for(server.engine.call("debug", None), 2.0)
        except (TimeoutError, WorkerError) as error:
            worker = str(error) or type(error).__name__
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "pid": os.getpid(),
        "documents": len(server.documents),
        "workerStarts": server.engine.starts,
        "workerMegabytes": server.engine.resident >> 20,
        "worker": worker,
        "client": attrs.asdict(server.client),
        "editorSettings": attrs.asdict(server.configuration.editor),
    }


async def scan_workspace(server: CodeHunchServer, arguments: list[Any]) -> dict[str, object]:
    """Read every file of the workspace and show what is found, open or not. The person can stop it."""
    cancel = CancelToken()
    progress = Progress(server, "scanning the workspace", cancel)
    server.status.set("busy", "scanning the workspace")
    files = findings = 0
    try:
        async for scanned in server.scan.run(cancel):
            files += 1
            findings += len(scanned.diagnostics)
            if scanned.version is None and not server.offers_workspace_diagnostics:
                server.publisher.scanned(scanned.uri, scanned.diagnostics)
            progress.report(f"{files} files, {findings} findings")
    except WorkerError as error:
        server.worker_failed(error)
        raise failed(str(error)) from None
    except Cancelled:
        pass
    finally:
        cancelled = cancel.cancelled
        cancel.cancel()
        progress.end(f"{files} files, {findings} findings")
    server.status.set("ready")
    return {"files": files, "findings": findings, "cancelled": cancelled}


async def generate_body(server: CodeHunchServer, arguments: list[Any]) -> bool:
    """Write the body described at ``{"uri", "line", "character"}`` and ask the client to apply it."""
    try:
        (where,) = arguments
        uri, position = str(where["uri"]), types.Position(int(where["line"]), int(where["character"]))
    except (TypeError, KeyError, ValueError):
        raise invalid_params(f'{GENERATE} takes {{"uri", "line", "character"}}') from None
    view = server.documents.view(uri)
    if view is None:
        raise failed(f"{uri} is not open")
    if not server.client.apply_edit:
        raise failed("this editor does not let a server edit")
    offset = view.to_program(offset_of(view.own.snapshot.source, position, server.client.encoding))
    try:
        suggestions = await server.suggestions.at(view.program, offset, patient=True)
    except Cancelled:
        raise content_modified() from None
    if not suggestions:
        raise failed("no body for this description is good enough to be shown")
    best = suggestions[0]
    change = workspace_edit(view, [Edit(best.replace, best.text)], server.client)
    if change is None:
        raise failed("the place for the body is spread over two cells")
    result = await server.protocol.request(
        types.WORKSPACE_APPLY_EDIT, types.ApplyWorkspaceEditParams(change, "Generate body")
    )
    return bool(result.applied)


COMMANDS: dict[str, Callable[[CodeHunchServer, list[Any]], Awaitable[object]]] = {
    RESTART: restart_worker,
    DEBUG: debug_information,
    GENERATE: generate_body,
    SCAN: scan_workspace,
}

"""``initialize``: who the client is and what it can do. Loads no model and starts no process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch import __version__
from codehunch.lsp.capabilities import flatten, server_capabilities
from codehunch.lsp.methods.execute_command import COMMANDS
from codehunch.lsp.methods.set_trace import follow_trace
from codehunch.lsp.snapshots import path_of
from codehunch.lsp.watchdog import watch

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.InitializeParams) -> types.InitializeResult:
    """Everything a session needs to know of its client is decided here, once."""
    server.client = flatten(params.capabilities)
    server.documents.encoding = server.client.encoding
    server.roots = _roots(params)
    server.initialization_options = params.initialization_options
    server.configuration.update(params.initialization_options, server.root)
    server.apply_limits()
    follow_trace(params.trace)
    server.offers_workspace_diagnostics = (
        server.client.pull_diagnostics and server.configuration.editor.workspace_diagnostics
    )
    server.protocol.initialized = True
    if params.process_id is not None:
        loop = asyncio.get_running_loop()
        watch(params.process_id, lambda: loop.call_soon_threadsafe(server.stop, 1))
    return types.InitializeResult(
        capabilities=server_capabilities(server.client, sorted(COMMANDS), server.offers_workspace_diagnostics),
        server_info=types.ServerInfo("codehunch", __version__),
    )


def _roots(params: types.InitializeParams) -> tuple[Path, ...]:
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if not uris and params.root_uri is not None:
        uris = [params.root_uri]
    paths = [path for uri in uris if (path := path_of(uri)) is not None]
    if not paths and not uris and params.root_path:
        paths = [Path(params.root_path)]
    return tuple(paths)

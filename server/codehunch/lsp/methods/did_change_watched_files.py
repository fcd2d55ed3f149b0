"""``workspace/didChangeWatchedFiles``: a settings file has changed on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Only settings files are watched; all of them are read anew."""
    server.configuration.forget_files()
    server.apply_configuration()

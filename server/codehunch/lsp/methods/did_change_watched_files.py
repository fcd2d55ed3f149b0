"""``workspace/didChangeWatchedFiles``: settings or sources have changed on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.snapshots import path_of
from codehunch.settings import PYPROJECT, SETTINGS_FILE

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidChangeWatchedFilesParams) -> None:
    """A settings file has all of them read anew; a source file is for the next scan to look at."""
    paths = [path for change in params.changes if (path := path_of(change.uri)) is not None]
    names = {path.name for path in paths}
    if names & {SETTINGS_FILE, PYPROJECT}:
        server.configuration.forget_files()
        server.apply_configuration()
    server.scan.changed.set()
    server.index.touched(paths)

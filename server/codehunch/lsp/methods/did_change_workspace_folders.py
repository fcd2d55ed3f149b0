"""``workspace/didChangeWorkspaceFolders``: the folders of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.snapshots import path_of

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """The first folder is the one untitled documents take their settings from."""
    removed = {path_of(folder.uri) for folder in params.event.removed}
    kept = [root for root in server.roots if root not in removed]
    added = [path for folder in params.event.added if (path := path_of(folder.uri)) is not None]
    server.roots = tuple(dict.fromkeys([*kept, *added]))
    server.publisher.withdraw_outside(server.roots)
    server.scan.changed.set()
    server.index.again()

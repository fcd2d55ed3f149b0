"""``window/workDoneProgress/cancel``: the person stops what a progress bar shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.WorkDoneProgressCancelParams) -> None:
    """A bar that is gone, or was not announced as cancellable, is ignored."""
    cancel = server.cancellable.get(params.token)
    if cancel is not None:
        cancel.cancel()

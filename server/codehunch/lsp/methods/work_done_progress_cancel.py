"""``window/workDoneProgress/cancel``: loading a model cannot be stopped half-way and is short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.WorkDoneProgressCancelParams) -> None:
    """No progress of this server is announced as cancellable."""

"""``shutdown``: answer what is open; the client may only say ``exit`` from here on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: object) -> None:
    """Open requests are answered as cancelled before this one is."""
    server.protocol.shutting_down = True
    server.protocol.cancel_all()

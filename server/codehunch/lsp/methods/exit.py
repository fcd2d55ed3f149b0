"""``exit``: end now, also when nobody said ``shutdown``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: object) -> None:
    """Exit code 0 after a shutdown, 1 without one, as the protocol has it."""
    server.stop(0 if server.protocol.shutting_down else 1)

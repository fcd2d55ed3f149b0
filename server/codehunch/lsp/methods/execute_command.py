"""``workspace/executeCommand``: what an editor can ask for by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from codehunch.lsp import commands
from codehunch.lsp.commands import bodies, feedback, scanning, session
from codehunch.lsp.errors import invalid_params

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(server: CodeHunchServer, params: types.ExecuteCommandParams) -> object:
    """Run a command of this server; any other name is an error of the request."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise invalid_params(f"there is no command {params.command!r}; this server has {', '.join(sorted(COMMANDS))}")
    return await command(server, list(params.arguments or ()))


COMMANDS: dict[str, Callable[[CodeHunchServer, list[Any]], Awaitable[object]]] = {
    commands.RESTART: session.restart_worker,
    commands.DEBUG: session.debug_information,
    commands.CARD: session.show_model_card,
    commands.GENERATE: bodies.generate_body,
    commands.PICK: bodies.pick_body,
    commands.DISMISS: feedback.dismiss_finding,
    commands.CONFIRM: feedback.confirm_finding,
    commands.RESTORE: feedback.restore_dismissed,
    commands.SCAN: scanning.scan_workspace,
    commands.REPORT: scanning.open_report,
}

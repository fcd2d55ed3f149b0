"""What an editor can ask for by name, one file per concern: each function takes ``(server, arguments)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from codehunch.lsp.errors import failed, invalid_params
from codehunch.lsp.positions import offset_of
from codehunch.lsp.programs import View

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

GENERATE = "codehunch.generateBody"
PICK = "codehunch.pickBody"
DISMISS = "codehunch.dismissFinding"
CONFIRM = "codehunch.confirmFinding"
RESTORE = "codehunch.restoreDismissed"
RESTART = "codehunch.restartWorker"
DEBUG = "codehunch.debugInformation"
SCAN = "codehunch.scanWorkspace"
REPORT = "codehunch.openReport"
CARD = "codehunch.showModelCard"


def table_of(arguments: list[Any], *keys: str) -> Mapping[str, Any]:
    """The one argument of a command. Raises InvalidParams where a key is missing."""
    table = arguments[0] if len(arguments) == 1 else None
    if not isinstance(table, Mapping) or any(key not in table for key in keys):
        names = ", ".join(f'"{key}"' for key in keys)
        raise invalid_params(f"the command takes one argument {{{names}}}")
    return table


def view_at(server: CodeHunchServer, arguments: list[Any]) -> tuple[View, int]:
    """The open document and the offset in its program that ``{"uri", "line", "character"}`` names."""
    table = table_of(arguments, "uri", "line", "character")
    try:
        position = types.Position(int(table["line"]), int(table["character"]))
    except (TypeError, ValueError) as error:
        raise invalid_params(f"no position: {error}") from None
    view = open_view(server, table)
    return view, view.to_program(offset_of(view.own.snapshot.source, position, server.client.encoding))


def open_view(server: CodeHunchServer, table: Mapping[str, Any]) -> View:
    """The open document that ``uri`` names. Raises RequestFailed where it is not open."""
    view = server.documents.view(str(table["uri"]))
    if view is None:
        raise failed(f"{table['uri']} is not open")
    return view

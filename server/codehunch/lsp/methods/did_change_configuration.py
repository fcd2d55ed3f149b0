"""``workspace/didChangeConfiguration``: the editor's settings, sent along or fetched."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.errors import RequestError

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


logger = logging.getLogger(__name__)

SECTION = "codehunch"


async def handle(server: CodeHunchServer, params: types.DidChangeConfigurationParams) -> None:
    """Fetch the section where the client lets us, else take what came."""
    if server.client.configuration:
        changed = await pull_configuration(server)
    else:
        sent = params.settings
        table = sent.get(SECTION, sent) if isinstance(sent, dict) else sent
        changed = server.configuration.update(_over_initial(server, table), server.root)
    if changed:
        server.apply_configuration()


async def pull_configuration(server: CodeHunchServer) -> bool:
    """Ask the client for its section and tell whether that changed anything.

    A client that cannot be asked, or refuses, changes nothing.
    """
    if not server.client.configuration:
        return False
    item = types.ConfigurationItem(section=SECTION)
    try:
        values = await server.protocol.request(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams([item]))
    except RequestError as error:
        logger.warning("the client does not tell its settings: %s", error.message)
        return False
    table = values[0] if values else None
    return server.configuration.update(_over_initial(server, table), server.root)


def _over_initial(server: CodeHunchServer, table: object) -> object:
    """What the editor says now outranks what it said at the start, key by key."""
    initial = server.initialization_options
    if not isinstance(initial, Mapping):
        return table
    if table is None:
        return initial
    return {**initial, **table} if isinstance(table, Mapping) else table

"""``codeAction/resolve``: write the body the person chose to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.inference.errors import Cancelled
from codehunch.lsp.errors import content_modified, failed, invalid_params
from codehunch.lsp.positions import offset_of, range_of
from codehunch.lsp.rendering import workspace_edit

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(server: CodeHunchServer, action: types.CodeAction) -> types.CodeAction:
    """The same action with its edit. ContentModified when the text has changed since the action was offered."""
    where = action.data.get("generate") if isinstance(action.data, dict) else None
    if where is None:
        return action
    try:
        uri, version = str(where["uri"]), int(where["version"])
        position = types.Position(int(where["line"]), int(where["character"]))
    except (TypeError, KeyError, ValueError) as error:
        raise invalid_params(f"codeAction/resolve: not the data of an action of this server ({error})") from None
    snapshot = server.documents.snapshot(uri)
    if snapshot is None or snapshot.version != version:
        raise content_modified()
    offset = offset_of(snapshot.source, position, server.client.encoding)
    try:
        suggestions = await server.suggestions.at(snapshot, offset, patient=True)
    except Cancelled:
        raise content_modified() from None
    if not suggestions:
        raise failed("no body for this description is good enough to be shown")
    best = suggestions[0]
    edit = types.TextEdit(range_of(snapshot.source, best.replace, server.client.encoding), best.text)
    action.edit = workspace_edit(snapshot, [edit], server.client)
    return action

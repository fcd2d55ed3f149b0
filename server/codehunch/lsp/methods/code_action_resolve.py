"""``codeAction/resolve``: write the body the person chose to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.defects.findings import Edit
from codehunch.inference.errors import Cancelled
from codehunch.lsp.errors import content_modified, failed, invalid_params
from codehunch.lsp.positions import offset_of
from codehunch.lsp.rendering import workspace_edit

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(server: CodeHunchServer, action: types.CodeAction) -> types.CodeAction:
    """The same action with its edit. ContentModified when the text has changed since the action was offered."""
    data = action.data if isinstance(action.data, dict) else {}
    where = data.get("generate") or data.get("regenerate")
    if where is None:
        return action
    try:
        uri, version = str(where["uri"]), int(where["version"])
        position = types.Position(int(where["line"]), int(where["character"]))
    except (TypeError, KeyError, ValueError) as error:
        raise invalid_params(f"codeAction/resolve: not the data of an action of this server ({error})") from None
    view = server.documents.view(uri)
    if view is None or view.own.snapshot.version != version:
        raise content_modified()
    offset = view.to_program(offset_of(view.own.snapshot.source, position, server.client.encoding))
    try:
        if "regenerate" in data:
            written = server.suggestions.memory.written_at(view.program, offset)
            best = await server.suggestions.another(view.program, written) if written is not None else None
        else:
            best = next(iter(await server.suggestions.at(view.program, offset, patient=True)), None)
    except Cancelled:
        raise content_modified() from None
    if best is None:
        other = "other " if "regenerate" in data else ""
        raise failed(f"no {other}body for this description is good enough to be shown")
    action.edit = workspace_edit(view, [Edit(best.replace, best.text)], server.client)
    return action

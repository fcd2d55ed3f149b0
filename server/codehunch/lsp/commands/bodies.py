"""Bodies by command: write the best one, or let the person choose among several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from codehunch.defects.findings import Edit
from codehunch.inference.errors import Cancelled
from codehunch.lsp.commands import view_at
from codehunch.lsp.errors import content_modified, failed
from codehunch.lsp.programs import View
from codehunch.lsp.rendering import workspace_edit
from codehunch.lsp.suggestions import Suggestion

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

_CHOICES = 5
_TITLE = 80
_SECONDS_TO_CHOOSE = 600.0


async def generate_body(server: CodeHunchServer, arguments: list[Any]) -> bool:
    """Write the body described at ``{"uri", "line", "character"}`` and ask the client to apply it.

    With ``"regenerate": true``, another body in the place of one that was accepted there.
    """
    view, offset = view_at(server, arguments)
    if arguments[0].get("regenerate") is True:
        return await _apply(server, view, await _another(server, view, offset))
    suggestions = await _suggestions(server, view, offset, 1)
    return await _apply(server, view, suggestions[0])


async def pick_body(server: CodeHunchServer, arguments: list[Any]) -> bool:
    """The same with a choice: the client shows a line per body, ``window/showMessageRequest``, and takes one.

    Returns whether a body was written; a person who chooses none wants none.
    """
    view, offset = view_at(server, arguments)
    suggestions = await _suggestions(server, view, offset, _CHOICES)
    titles = [f"{number}: {_in_a_line(each)}" for number, each in enumerate(suggestions, start=1)]
    params = types.ShowMessageRequestParams(
        types.MessageType.Info, "CodeHunch: which body?", [types.MessageActionItem(title) for title in titles]
    )
    # A person reads code: no hurry.
    chosen = await server.protocol.request(types.WINDOW_SHOW_MESSAGE_REQUEST, params, seconds=_SECONDS_TO_CHOOSE)
    if chosen is None or chosen.title not in titles:
        return False
    return await _apply(server, view, suggestions[titles.index(chosen.title)])


async def _another(server: CodeHunchServer, view: View, offset: int) -> Suggestion:
    _must_edit(server)
    written = server.suggestions.memory.written_at(view.program, offset)
    try:
        found = await server.suggestions.another(view.program, written) if written is not None else None
    except Cancelled:
        raise content_modified() from None
    if found is None:
        raise failed("no other body for this description is good enough to be shown")
    return found


def _must_edit(server: CodeHunchServer) -> None:
    if not server.client.apply_edit:
        raise failed("this editor does not let a server edit")


async def _suggestions(server: CodeHunchServer, view: View, offset: int, count: int) -> tuple[Suggestion, ...]:
    _must_edit(server)
    try:
        found = await server.suggestions.at(view.program, offset, count, patient=True)
    except Cancelled:
        raise content_modified() from None
    if not found:
        raise failed("no body for this description is good enough to be shown")
    return found


async def _apply(server: CodeHunchServer, view: View, body: Suggestion) -> bool:
    if not server.documents.is_current(view.program):
        raise content_modified()
    change = workspace_edit(view, [Edit(body.replace, body.text)], server.client)
    if change is None:
        raise failed("the place for the body is spread over two cells")
    params = types.ApplyWorkspaceEditParams(change, "Generate body")
    result = await server.protocol.request(types.WORKSPACE_APPLY_EDIT, params)
    return bool(result.applied)


def _in_a_line(body: Suggestion) -> str:
    code = "; ".join(line.strip() for line in body.text.splitlines() if line.strip())
    title = f"{code} ({body.origin})" if body.origin else f"{code} ({body.confidence:.0%})"
    return title if len(title) <= _TITLE else title[: _TITLE - 3] + "..."

"""``textDocument/inlineCompletion``: a body as ghost text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.inference.errors import Cancelled
from codehunch.lsp.ghost import at_cursor
from codehunch.lsp.positions import offset_of
from codehunch.lsp.rendering import range_in

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


INVOKED_CANDIDATES = 3


async def handle(server: CodeHunchServer, params: types.InlineCompletionParams) -> types.InlineCompletionList | None:
    """While typing, one suggestion after a pause; when asked by a key, several and at once.

    A question that a later one or an edit has overtaken is answered with nothing.
    """
    view = server.documents.view(params.text_document.uri)
    if view is None:
        return None
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    if not invoked and server.configuration.editor.generation_trigger == "invoked":
        return None
    offset = view.to_program(offset_of(view.own.snapshot.source, params.position, server.client.encoding))
    candidates = INVOKED_CANDIDATES if invoked else 1
    if not invoked and server.suggestions.memory.known(view.program, offset) is None:
        await asyncio.sleep(server.analysis.quiet_in(view.program.uri))
        if not server.documents.is_current(view.program):
            return None
    try:
        suggestions = await server.suggestions.at(view.program, offset, candidates, automatic=not invoked)
    except Cancelled:
        return None
    shown = [at_cursor(view, offset, each) for each in suggestions]
    return types.InlineCompletionList(
        [
            types.InlineCompletionItem(insert_text=each[0], range=range_in(view, each[1], server.client))
            for each in shown
            if each is not None
        ]
    )

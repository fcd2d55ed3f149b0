"""``textDocument/inlineCompletion``: a body as ghost text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.inference.errors import Cancelled
from codehunch.lsp.documents import Snapshot
from codehunch.lsp.positions import offset_of, range_of
from codehunch.lsp.suggestions import Suggestion
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


INVOKED_CANDIDATES = 3


async def handle(server: CodeHunchServer, params: types.InlineCompletionParams) -> types.InlineCompletionList | None:
    """While typing, one suggestion after a pause; when asked by a key, several and at once.

    A question that a later one or an edit has overtaken is answered with nothing.
    """
    snapshot = server.documents.snapshot(params.text_document.uri)
    if snapshot is None:
        return None
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    offset = offset_of(snapshot.source, params.position, server.client.encoding)
    candidates = INVOKED_CANDIDATES if invoked else 1
    if not invoked and server.suggestions.known(snapshot, offset) is None:
        await asyncio.sleep(server.analysis.quiet_in(snapshot.uri))
        if not server.documents.is_current(snapshot):
            return None
    try:
        suggestions = await server.suggestions.at(snapshot, offset, candidates, automatic=not invoked)
    except Cancelled:
        return None
    items = [_item(server, snapshot, offset, each) for each in suggestions if each.at_cursor]
    return types.InlineCompletionList(items)


def _item(
    server: CodeHunchServer, snapshot: Snapshot, offset: int, suggestion: Suggestion
) -> types.InlineCompletionItem:
    """Ghost text starts at the cursor: what lies before it in the replaced place is already there."""
    text, place = suggestion.text, suggestion.replace
    existing = snapshot.source.text[place.start : offset]
    if text.startswith(existing):
        text, place = text[len(existing) :], Span(offset, place.end)
    return types.InlineCompletionItem(insert_text=text, range=range_of(snapshot.source, place, server.client.encoding))

"""``textDocument/completion``: a body as a list item, for editors without ghost text."""

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


async def handle(server: CodeHunchServer, params: types.CompletionParams) -> types.CompletionList | None:
    """One item where something is described and nothing is written yet; an empty list everywhere else."""
    snapshot = server.documents.snapshot(params.text_document.uri)
    if snapshot is None:
        return None
    offset = offset_of(snapshot.source, params.position, server.client.encoding)
    await asyncio.sleep(server.analysis.quiet_in(snapshot.uri))
    if not server.documents.is_current(snapshot):
        return types.CompletionList(is_incomplete=True, items=[])
    try:
        suggestions = await server.suggestions.at(snapshot, offset, automatic=True)
    except Cancelled:
        return types.CompletionList(is_incomplete=True, items=[])
    items = [_item(server, snapshot, offset, each) for each in suggestions if each.at_cursor]
    return types.CompletionList(is_incomplete=False, items=items)


def _item(server: CodeHunchServer, snapshot: Snapshot, offset: int, suggestion: Suggestion) -> types.CompletionItem:
    """The main edit starts at the cursor, on its line, as the protocol demands."""
    text, place = suggestion.text, suggestion.replace
    existing = snapshot.source.text[place.start : offset]
    if text.startswith(existing):
        text, place = text[len(existing) :], Span(offset, place.end)
    first = next((line.strip() for line in suggestion.text.splitlines() if line.strip()), "")
    return types.CompletionItem(
        label=first if len(first) <= 60 else f"{first[:57]}...",
        kind=types.CompletionItemKind.Snippet,
        detail=f"CodeHunch: body of {suggestion.name}" if suggestion.name else "CodeHunch",
        sort_text="0",
        filter_text="",
        insert_text_format=types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(range_of(snapshot.source, place, server.client.encoding), text),
        data={"code": suggestion.text.strip("\r\n"), "confidence": round(suggestion.confidence, 4)},
    )

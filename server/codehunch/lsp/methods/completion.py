"""``textDocument/completion``: a body as a list item, for editors without ghost text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.generation.sources import told_source
from codehunch.inference.errors import Cancelled
from codehunch.lsp.ghost import at_cursor
from codehunch.lsp.positions import offset_of
from codehunch.lsp.programs import View
from codehunch.lsp.rendering import range_in
from codehunch.lsp.suggestions import Suggestion

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(server: CodeHunchServer, params: types.CompletionParams) -> types.CompletionList | None:
    """One item where something is described and nothing is written yet; an empty list everywhere else."""
    view = server.documents.view(params.text_document.uri)
    if view is None:
        return None
    by_key = params.context is None or params.context.trigger_kind == types.CompletionTriggerKind.Invoked
    if not by_key and server.configuration.editor.generation_trigger == "invoked":
        return types.CompletionList(is_incomplete=False, items=[])
    offset = view.to_program(offset_of(view.own.snapshot.source, params.position, server.client.encoding))
    await asyncio.sleep(server.analysis.quiet_in(view.program.uri))
    if not server.documents.is_current(view.program):
        return types.CompletionList(is_incomplete=True, items=[])
    try:
        suggestions = await server.suggestions.at(view.program, offset, automatic=True)
    except Cancelled:
        return types.CompletionList(is_incomplete=True, items=[])
    items = [_item(server, view, offset, each) for each in suggestions]
    return types.CompletionList(is_incomplete=False, items=[item for item in items if item is not None])


def _item(server: CodeHunchServer, view: View, offset: int, suggestion: Suggestion) -> types.CompletionItem | None:
    """The main edit starts at the cursor, on its line, as the protocol demands."""
    shown = at_cursor(view, offset, suggestion)
    if shown is None:
        return None
    text, place = shown
    first = next((line.strip() for line in suggestion.text.splitlines() if line.strip()), "")
    return types.CompletionItem(
        label=first if len(first) <= 60 else f"{first[:57]}...",
        # Not Snippet, which it may look like: some editors then indent every line anew and read `$` as a place to fill.
        kind=types.CompletionItemKind.Text,
        detail=_detail(suggestion),
        sort_text="0",
        filter_text="",
        insert_text_format=types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(range_in(view, place, server.client), text),
        data={
            "code": suggestion.text.strip("\r\n"),
            "confidence": round(suggestion.confidence, 4),
            "source": _source(suggestion),
        },
    )


def _source(suggestion: Suggestion) -> str:
    return told_source(suggestion.origin, suggestion.examples, suggestion.confidence)


def _detail(suggestion: Suggestion) -> str:
    if source := _source(suggestion):
        return f"CodeHunch: {source}"
    return f"CodeHunch: body of {suggestion.name}" if suggestion.name else "CodeHunch"

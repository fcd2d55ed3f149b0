"""``completionItem/resolve``: the whole body in the documentation pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, item: types.CompletionItem) -> types.CompletionItem:
    """Fills what the list left out; an item of another server comes back as it is."""
    data = item.data if isinstance(item.data, dict) else {}
    code, confidence = data.get("code"), data.get("confidence")
    if not isinstance(code, str) or not isinstance(confidence, int | float):
        return item
    source = data.get("source")
    told = source[:1].upper() + source[1:] if source and isinstance(source, str) else f"Confidence: {confidence:.0%}"
    if server.client.completion_markdown:
        fence = "`" * (3 if "```" not in code else 8)
        text = f"{fence}python\n{code}\n{fence}\n{told}"
        item.documentation = types.MarkupContent(types.MarkupKind.Markdown, text)
    else:
        item.documentation = f"{code}\n\n{told}"
    return item

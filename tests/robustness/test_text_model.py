"""Edit storms on the text model, judged by the slow and obvious one."""

from __future__ import annotations

from typing import Any

import text_reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.converters import get_converter

from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.positions import offset_of, position_of
from codehunch.syntax.text import PositionEncoding, SourceText

_CONVERTER = get_converter()

# Line ends, what only looks like one, and characters of every width, a lone surrogate among them.
_PIECES = [
    "a",
    "(",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\x0c",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "é",
    "中",
    "🙂",
    "\ud83d",
    "\ude00",
    "",
]
texts = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)
numbers = st.one_of(st.integers(0, 12), st.sampled_from([500, 2**31 - 1]))
positions = st.fixed_dictionaries({"line": numbers, "character": numbers})
ranges = st.fixed_dictionaries({"start": positions, "end": positions})
changes = st.one_of(
    st.fixed_dictionaries({"range": ranges, "text": texts}),
    st.fixed_dictionaries({"range": ranges, "text": texts}),
    st.fixed_dictionaries({"text": texts}),
)
encodings: st.SearchStrategy[PositionEncoding] = st.sampled_from(["utf-8", "utf-16", "utf-32"])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts, st.lists(st.lists(changes, max_size=4), max_size=8), encodings)
def test_edit_storms(text: str, storms: list[list[dict[str, Any]]], encoding: PositionEncoding) -> None:
    store = DocumentStore(encoding)
    store.open(types.TextDocumentItem("untitled:1", "python", 0, text))
    for version, storm in enumerate(storms, 1):
        params = _CONVERTER.structure(
            {"textDocument": {"uri": "untitled:1", "version": version}, "contentChanges": storm},
            types.DidChangeTextDocumentParams,
        )
        snapshot = store.change(params.text_document, params.content_changes)
        text = text_reference.apply(text, storm, encoding)
        assert snapshot is not None
        assert snapshot.source.text == text
        assert snapshot.source.line_starts == tuple(start for start, _ in text_reference.line_spans(text))


@settings(max_examples=300, deadline=None)
@given(texts, positions, encodings)
def test_positions(text: str, position: dict[str, int], encoding: PositionEncoding) -> None:
    source = SourceText(text)
    expected = text_reference.offset(text, position["line"], position["character"], encoding)
    assert offset_of(source, types.Position(**position), encoding) == expected
    assert offset_of(source, position_of(source, expected, encoding), encoding) == expected

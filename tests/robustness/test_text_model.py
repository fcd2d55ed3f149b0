"""Edit storms on the text model, judged by the slow and obvious one."""

from __future__ import annotations

from typing import Any

import text_reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.converters import get_converter
from text_storms import changes, encodings, positions, texts

from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.positions import offset_of, position_of
from codehunch.syntax.text import PositionEncoding, SourceText

_CONVERTER = get_converter()


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

"""Edits in client coordinates: line ends, encodings, places that are not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import text_reference
from lsprotocol import types
from lsprotocol.converters import get_converter

from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.positions import index_of_units, offset_of, position_of
from codehunch.lsp.snapshots import local_path, path_of
from codehunch.syntax.text import PositionEncoding, SourceText

ENCODINGS: tuple[PositionEncoding, ...] = ("utf-8", "utf-16", "utf-32")
_CONVERTER = get_converter()


def place(*numbers: int) -> dict[str, Any]:
    (a, b), (c, d) = numbers[:2], numbers[2:]
    return {"start": {"line": a, "character": b}, "end": {"line": c, "character": d}}


def changed(text: str, changes: list[dict[str, Any]], encoding: PositionEncoding = "utf-16") -> str:
    store = DocumentStore(encoding)
    store.open(types.TextDocumentItem("untitled:1", "python", 1, text))
    events = _CONVERTER.structure(
        {"textDocument": {"uri": "untitled:1", "version": 2}, "contentChanges": changes},
        types.DidChangeTextDocumentParams,
    )
    snapshot = store.change(events.text_document, events.content_changes)
    assert snapshot is not None
    assert snapshot.version == 2
    return snapshot.source.text


@pytest.mark.parametrize(
    ("text", "where", "inserted", "expected"),
    [
        ("abc", place(0, 1, 0, 2), "X", "aXc"),
        ("", place(0, 0, 0, 0), "a\nb", "a\nb"),
        ("a\nb\nc", place(0, 1, 2, 0), "", "ac"),
        ("a\r\nb", place(0, 1, 1, 0), "", "ab"),
        ("a\rb", place(1, 0, 1, 1), "X", "a\rX"),
        ("a\x0cb\u2028c\x85d", place(0, 3, 0, 4), "X", "a\x0cbXc\x85d"),  # None of these ends a line.
        ("a\r", place(1, 0, 1, 0), "\nb", "a\r\nb"),  # Two line ends become one.
        ("a\r\nb", place(0, 99, 0, 99), "X", "aX\r\nb"),  # Past a line's end is its end, before the line end.
        ("a\nb", place(7, 7, 9, 9), "X", "a\nbX"),  # Past the last line is the end of the text.
        ("a\n", place(1, 5, 1, 5), "X", "a\nX"),
        ("a\nb", place(1, 1, 0, 0), "X", "X"),  # A range the wrong way round.
        ("x🙂y", place(0, 3, 0, 4), "z", "x🙂z"),
        ("x🙂y", place(0, 2, 0, 2), "z", "xz🙂y"),  # Between the halves of a pair is before it.
    ],
)
def test_an_edit(text: str, where: dict[str, Any], inserted: str, expected: str) -> None:
    assert changed(text, [{"range": where, "text": inserted}]) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_edits_count_in_the_negotiated_encoding(encoding: PositionEncoding) -> None:
    text = "s = '🙂é中'\n"
    for index in range(len(text)):
        column = sum(text_reference.units(char, encoding) for char in text[:index])
        edit = [{"range": place(0, column, 0, column), "text": "|"}]
        assert changed(text, edit, encoding) == text[:index] + "|" + text[index:]


def test_each_change_sees_the_text_after_the_one_before() -> None:
    changes = [
        {"range": place(0, 0, 0, 0), "text": "one\n"},
        {"range": place(1, 0, 1, 0), "text": "two\n"},
        {"text": "fresh"},
        {"range": place(0, 5, 0, 5), "text": "!"},
    ]
    assert changed("old", changes) == "fresh!"


def test_snapshots_stay_as_they_were() -> None:
    store = DocumentStore()
    before = store.open(types.TextDocumentItem("untitled:1", "python", 1, "a\n"))
    event = types.TextDocumentContentChangeWholeDocument("b\n")
    after = store.change(types.VersionedTextDocumentIdentifier(2, "untitled:1"), [event])
    assert (before.source.text, before.version) == ("a\n", 1)
    assert after is not None
    assert store.is_current(after)
    assert not store.is_current(before)
    # A document that comes back with the same number and text is another one.
    store.close("untitled:1")
    again = store.open(types.TextDocumentItem("untitled:1", "python", 2, "b\n"))
    assert not store.is_current(after)
    assert store.is_current(again)


def test_what_is_not_open_is_not_there() -> None:
    store = DocumentStore()
    assert store.snapshot("untitled:1") is None
    assert store.change(types.VersionedTextDocumentIdentifier(1, "untitled:1"), []) is None
    assert not store.close("untitled:1")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["", "abc", "é", "x🙂y", "🙂🙂", "\ud83d\ude00 lone", "中\u0301a"])
def test_units_agree_with_the_reference(text: str, encoding: PositionEncoding) -> None:
    for column in range(4 * len(text) + 3):
        assert index_of_units(text, column, encoding) == text_reference.offset(text, 0, column, encoding), column


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_positions_and_offsets_are_each_others_inverse(encoding: PositionEncoding) -> None:
    source = SourceText("def f():\r\n\t🙂 = 'é'\r\x0cx\n")
    for offset in range(len(source.text) + 1):
        if source.text[offset - 1 : offset + 1] != "\r\n":  # No position lies inside a line end.
            assert offset_of(source, position_of(source, offset, encoding), encoding) == offset


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file:///a%20b/%C3%A9.py", "/a b/é.py"),
        ("untitled:Untitled-1", None),
        ("vscode-notebook-cell:/a.ipynb#W0", None),
        ("", None),
    ],
)
def test_paths_of_uris(uri: str, path: str | None) -> None:
    assert path_of(uri) == (Path(path) if path is not None else None)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///c%3A/a%20b/%C3%A9.py", "c:/a b/é.py"),
        ("file:///C:/a.py", "C:/a.py"),
        ("file://server/share/a.py", "//server/share/a.py"),
        ("untitled:C:/a.py", ""),
    ],
)
def test_paths_of_uris_on_windows(uri: str, path: str) -> None:
    assert local_path(uri, windows=True) == path


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text() -> None:
    path = Path(os.fsdecode(b"/a/\xff.py"))
    assert path_of(path.as_uri()) == path


@pytest.mark.parametrize("spelled", ["file:///p/a%40b%20%28c%29.py", "file:///p/a@b%20(c).py"])
def test_a_file_is_found_however_its_uri_is_escaped(spelled: str) -> None:
    store = DocumentStore()
    store.open(types.TextDocumentItem(spelled, types.LanguageKind.Python, 1, ""))
    assert store.spelling("file:///p/a%40b%20(c).py") == spelled
    assert store.spelling("file:///p/other.py") == "file:///p/other.py"

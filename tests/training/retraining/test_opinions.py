"""What was said in the editor becomes rows to learn from."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch.feedback import Event, append
from codehunch.syntax.parsing import parse
from codehunch_training.retraining.opinions import read_opinions, renamed

TEXT = "def area(width, height):\n    total = width * width\n    return total"
WRONG = "def area(width, height):\n    return width * width"
RIGHT = "def area(width, height):\n    return width * height"
OTHER = "def area(width, height):\n    return product(width, height)"
STUB = 'def area(width, height):\n    """Give the product of both sides."""\n    ...'


def said(file: Path, *events: Event) -> Path:
    for event in events:
        append(event, file)
    return file


def test_every_kind_of_event(tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    file = said(
        tmp_path / "feedback.jsonl",
        Event("dismissed", path=path, fingerprint="1", before=TEXT, start=30, end=35, kind="variable-misuse"),
        Event("fix-accepted", path=path, before=WRONG, after=RIGHT, start=44, end=49, kind="variable-misuse"),
        Event("confirmed", path=path, fingerprint="3", before=TEXT, start=42, end=47, kind="variable-misuse"),
        Event("fix-rejected", path=path, fingerprint="4", before=WRONG, after=OTHER, kind="variable-misuse"),
        Event("completion-accepted", path=path, before=STUB, after="    area = width * height\n    return area"),
        Event("completion-rejected", path=path, before=STUB, after="    return 0"),
    )
    found = read_opinions([tmp_path], file)
    assert found.counts == {
        "dismissed findings": 1,
        "confirmed findings": 1,
        "accepted fixes": 1,
        "rejected fixes": 1,
        "accepted bodies": 1,
    }
    known = found.known(("clean", "variable-misuse"), 0)
    assert [each.labels for each in known if each.text == WRONG] == [{44: "variable-misuse"}]
    assert WRONG[44:49] == "width"
    assert [each.labels for each in known if each.text == TEXT and each.labels] == [{42: "variable-misuse"}]
    assert {each.text for each in known if not each.labels} >= {TEXT, RIGHT, OTHER}
    assert len([each for each in known if not each.labels]) > 2  # Renamed copies.
    (body,) = found.bodies
    assert body["target"] == "area = width * height\nreturn area"
    assert ("doc", "Give the product of both sides.") in body["prompt"]
    assert read_opinions([tmp_path / "elsewhere"], file).counts["dismissed findings"] == 0


def test_what_was_taken_back_teaches_nothing(tmp_path: Path) -> None:
    file = said(
        tmp_path / "feedback.jsonl",
        Event("dismissed", fingerprint="1", before=TEXT),
        Event("restored", fingerprint="1"),
        Event("dismissed", fingerprint="2", before="x ="),
        Event("fix-accepted", before=WRONG, after=RIGHT),  # Nobody knows where.
        Event("confirmed", fingerprint="3", before=TEXT, start=30, kind="variable-misuse"),
        Event("dismissed", fingerprint="3", before="x ="),
    )
    assert not any(read_opinions((), file).counts.values())


def test_no_file_and_a_broken_one(tmp_path: Path) -> None:
    assert not any(read_opinions((), tmp_path / "none").counts.values())
    (tmp_path / "broken").write_bytes(b'{"event": "dismissed", "before": 7}\n\xff\xfe\nnot json\n')
    assert not any(read_opinions((), tmp_path / "broken").counts.values())


def test_secrets_of_dismissed_functions_are_masked(tmp_path: Path) -> None:
    token = "AKIA" + "IOSFODNN7EXAMPLA"
    text = f"def key():\n    value = '{token}'\n    return value"
    file = said(tmp_path / "feedback.jsonl", Event("dismissed", fingerprint="1", before=text))
    assert token not in repr(read_opinions((), file))


def test_copies_differ_in_names_only() -> None:
    copies = renamed(TEXT, 6, random.Random(0))
    assert len(copies) >= 2
    for copy in copies:
        assert copy != TEXT
        assert copy.count("return") == 1
        assert not parse(copy).tree.root_node.has_error
    assert renamed("def f():\n    pass", 3, random.Random(0)) == []

"""The file of what a person thought: appended to by many, read by one function, erased on request."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from codehunch.defects.findings import Finding
from codehunch.feedback import Dismissals, Event, Leanings, about, append, clear, read_events
from codehunch.syntax.spans import Span


def finding(fingerprint: str = "f1") -> Finding:
    return Finding("CH101", "variable-misuse", "m", Span(2, 5), "f", 0.51239, fingerprint=fingerprint)


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "feedback.jsonl"
    events = [
        about("dismissed", finding(), str(tmp_path / "a.py"), "x.abc\n", before="x.abc", start=2, end=5),
        Event("fix-accepted", path="untitled:1", before="é\n\ud83d", after="b"),
        Event("completion-rejected", after="x" * 30_000),
    ]
    for event in events:
        append(event, file)
    read = list(read_events(file))
    assert read[:2] == events[:2]
    assert (read[0].token, read[0].confidence, read[0].path) == ("abc", 0.5124, str(tmp_path / "a.py"))
    assert len(read[2].after) == 20_000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[1]", b'{"event": "unknown"}', b'{"event": 3}', b"\xff\xfe", b"null", b"{" * 50],
)
def test_lines_that_are_no_events_are_passed_over(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "f"
    # The last line has no end, as after a crash; one field has a wrong type.
    file.write_bytes(b'{"event": "dismissed", "code": 7, "new": 1}\n' + line)
    append(Event("restored"), file)
    assert [event.event for event in read_events(file)] == ["dismissed", "restored"]


def test_many_writers(tmp_path: Path) -> None:
    file = tmp_path / "f"

    def write(name: str) -> None:
        for _ in range(50):
            append(Event("dismissed", function=name, before="x" * 5000), file)

    threads = [threading.Thread(target=write, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event.function for event in read_events(file)) == sorted("0123" * 50)


def test_a_dismissal_holds_in_its_file_and_wherever_the_file_has_gone(tmp_path: Path) -> None:
    file, here, there = tmp_path / "f", tmp_path / "a.py", tmp_path / "b.py"
    here.touch()
    there.touch()
    dismissals = Dismissals(file)
    assert not dismissals.refresh()
    append(about("dismissed", finding(), str(here), "x.abc\n"), file)
    assert dismissals.refresh()
    assert not dismissals.refresh()
    assert dismissals.hides(finding(), str(here))
    assert not dismissals.hides(finding(), str(there))
    assert not dismissals.hides(finding("other"), str(here))
    assert not dismissals.hides(finding(""), str(here))
    link = tmp_path / "link.py"
    link.symlink_to(here)
    assert dismissals.hides(finding(), str(link))
    link.unlink()
    here.unlink()
    assert dismissals.hides(finding(), str(there))
    append(about("restored", finding(), str(there), "x.abc\n"), file)
    assert dismissals.refresh()
    assert not dismissals.hides(finding(), str(there))


def test_clearing(tmp_path: Path) -> None:
    file, path = tmp_path / "f", str(tmp_path / "a.py")
    dismissals = Dismissals(file)
    for name in ("f1", "f2", "f1"):
        append(about("dismissed", finding(name), path, "x.abc\n"), file)
    dismissals.refresh()
    assert clear(file, keep=lambda event: event.fingerprint != "f1") == 2
    assert dismissals.refresh()
    assert [dismissals.hides(finding(name), path) for name in ("f1", "f2")] == [False, True]
    assert clear(file) == 1
    assert not file.exists()
    assert dismissals.refresh()
    assert not dismissals.hides(finding("f2"), path)
    assert clear(file) == 0


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    append(about("dismissed", finding(), "untitled:1", "x.abc\n"), tmp_path / "f")
    row = json.loads((tmp_path / "f").read_text(encoding="ascii"))
    assert {"event", "time", "path", "function", "code", "kind", "token", "fingerprint", "confidence"} == set(row)


def test_what_was_taken_counts_more_and_what_was_refused_less(tmp_path: Path) -> None:
    file, path, other = tmp_path / "f", str(tmp_path / "a.py"), str(tmp_path / "b.py")
    leanings = Leanings(file)
    assert not leanings.refresh()
    assert leanings.weight("f", path) == 1.0
    for event in ("completion-rejected", "completion-regenerated", "completion-rejected"):
        append(Event(event, path=path, bundle="f"), file)
    append(Event("completion-accepted", path=path, bundle=f"{other}: g"), file)
    append(Event("dismissed", path=path, bundle="f"), file)
    assert leanings.refresh()
    assert leanings.weight("f", path) == 0.5
    assert leanings.weight(f"{path}: f", other) == 0.5  # Asked from elsewhere, it is the same function.
    assert leanings.weight("f", other) == 1.0
    assert leanings.weight("g", other) == 1.25
    for _ in range(20):
        append(Event("completion-rejected", path=path, bundle="f"), file)
    leanings.refresh()
    assert leanings.weight("f", path) == 0.25
    clear(file)
    assert leanings.refresh()
    assert leanings.weight("f", path) == 1.0

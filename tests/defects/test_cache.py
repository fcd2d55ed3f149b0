"""Findings kept between processes: shared, bounded, and never in the way."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from codehunch.bundles.store import default_bundle
from codehunch.defects.cache import FILE_NAME, DiskCache, FindingCache, cache_folder, open_cache, unit_key
from codehunch.defects.detector import Detector
from codehunch.defects.findings import Alternative, Edit, Finding, Fix
from codehunch.defects.options import CheckOptions
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

FINDING = Finding(
    code="CH101",
    kind="variable-misuse",
    message="`löwe\ud800` looks wrong here",
    span=Span(4, 9),
    function="",
    confidence=0.1234567890123,
    fixes=(Fix("Replace `a` by `b`", (Edit(Span(4, 5), "b\n\t'"), Edit(Span(7, 7), "")), 0.5),),
    alternatives=(Alternative("b", 0.75),),
    evidence=(Span(0, 1),),
)
LARGE = (FINDING,) * 20


@pytest.mark.parametrize("findings", [(), (FINDING,), (FINDING, FINDING)])
def test_what_was_put_comes_back_in_another_process(tmp_path: Path, findings: tuple[Finding, ...]) -> None:
    path = tmp_path / "deep" / FILE_NAME
    first = DiskCache(path, b"bundle")
    assert first.get(b"key") is None
    first.put(b"key", findings)
    first.close()
    assert DiskCache(path, b"bundle").get(b"key") == findings
    assert DiskCache(path, b"another bundle").get(b"key") is None
    assert DiskCache(path, b"bundle").get(b"other key") is None
    if os.name != "nt":
        assert path.stat().st_mode & 0o077 == 0


def test_memory_asks_the_disk_once(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / FILE_NAME, b"")
    FindingCache(disk=disk).put(b"key", (FINDING,))
    cache = FindingCache(disk=disk)
    assert cache.get(b"key") == (FINDING,)
    disk.close()
    assert cache.get(b"key") == (FINDING,)
    assert cache.get(b"unknown") is None


def test_the_file_stays_below_its_bound_and_keeps_what_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    cache = DiskCache(path, b"", most_bytes=1 << 20)
    cache._today = 1
    for number in range(100):
        cache.put(b"old%d" % number, LARGE)
    cache._today = 2
    assert cache.get(b"old99") == LARGE  # Still in use.
    for number in range(120):
        cache.put(b"new%d" % number, LARGE)
        assert cache.get(b"new%d" % number) == LARGE
    assert path.stat().st_size <= 1 << 20
    assert cache.get(b"old99") == LARGE
    assert cache.get(b"old0") is None
    cache.put(b"larger than all", (FINDING,) * 10_000)
    assert cache.get(b"larger than all") is None
    assert cache.get(b"new119") == LARGE


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500, None])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / FILE_NAME
    cache = DiskCache(path, b"")
    for number in range(50):
        cache.put(b"%d" % number, LARGE)
    cache.close()
    if damage is None:  # Pages in the middle are gone, the head is whole.
        content = bytearray(path.read_bytes())
        content[8192:] = b"\xff" * (len(content) - 8192)
        path.write_bytes(content)
    else:
        path.write_bytes(damage)
    cache = DiskCache(path, b"")
    for number in range(50):
        assert cache.get(b"%d" % number) in (None, LARGE)
    for number in range(50):
        cache.put(b"%d" % number, (FINDING,))
    assert [cache.get(b"%d" % number) for number in range(50)] == [(FINDING,)] * 50


@pytest.mark.parametrize("value", [b"", b"not json", b"{}", b"[1]", b'[{"code": "CH101"}]', b"\xff"])
def test_strange_values_are_unknown(tmp_path: Path, value: bytes) -> None:
    cache = DiskCache(tmp_path / FILE_NAME, b"")
    cache.put(b"key", (FINDING,))
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE findings SET value = ?", (value,))
    connection.close()
    assert cache.get(b"key") in (None, ())
    cache.put(b"key", (FINDING,))
    assert cache.get(b"key") == (FINDING,)


def test_a_place_that_cannot_be_written_costs_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        cache = DiskCache(tmp_path / "file" / FILE_NAME, b"")
        cache.put(b"key", (FINDING,))
        assert cache.get(b"key") is None
    assert len(caplog.records) == 1
    assert "findings are not kept" in caplog.text


WRITER = """
    import sys
    from pathlib import Path
    from codehunch.defects.cache import DiskCache
    from codehunch.defects.findings import Finding
    from codehunch.syntax.spans import Span
    {preparation}
    cache = DiskCache(Path(sys.argv[1]), b"")
    for number in range(int(sys.argv[2])):
        finding = Finding("CH101", "variable-misuse", "x" * 500, Span(0, 1), "", number / 1000)
        cache.put(str(number).encode(), (finding,))
        found = cache.get(str(number).encode())
        assert found in (None, (finding,)), found
    print(sum(cache.get(str(number).encode()) is not None for number in range(int(sys.argv[2]))))
"""


def writer(path: Path, count: int, preparation: str = "") -> subprocess.Popen[str]:
    script = textwrap.dedent(WRITER).format(preparation=preparation)
    command = [sys.executable, "-c", script, str(path), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    ends = [process.communicate(timeout=120) for process in [writer(path, 400), writer(path, 400)]]
    assert [(out.strip(), err) for out, err in ends] == [("400", "")] * 2
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM findings").fetchone() == (400,)
    connection.close()


def test_many_make_the_file_at_once(tmp_path: Path) -> None:
    """SQLite refuses, at once and in one of some twenty rounds, to change the mode of a journal that others are at."""
    opened: list[bool] = []
    for number in range(150):
        together = threading.Barrier(16)

        def work(path: Path = tmp_path / f"{number}.sqlite3", together: threading.Barrier = together) -> None:
            together.wait()
            cache = DiskCache(path, b"")
            cache.put(b"key", (FINDING,))
            opened.append(cache.get(b"key") == (FINDING,))
            cache.close()

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert opened == [True] * len(opened)
    assert len(opened) == 150 * 16


@pytest.mark.skipif(os.name == "nt", reason="no limit on file sizes")
def test_no_room_for_the_file(tmp_path: Path) -> None:
    """The limit makes writes fail as a full disk does: in the middle of the work."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    out, err = writer(tmp_path / FILE_NAME, 600, limit).communicate(timeout=120)
    assert err.count("\n") == 1
    assert "findings are not kept" in err
    assert out.strip() == "0"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a file system of its own")
def test_a_full_disk(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        out, err = writer(small / FILE_NAME, 600).communicate(timeout=120)
    finally:
        subprocess.run(["umount", small], check=True)
    assert (out.strip(), err.count("\n")) == ("0", 1)
    assert "disk is full" in err


def test_a_second_detector_reads_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path))
    bundle = default_bundle("defects")
    assert bundle is not None
    source = SourceText("def overlap(first, second):\n    return max(first.start, second.start), first.strat\n")
    options = CheckOptions(sensitivity="high")
    first = Detector(bundle, threads=1, cache=open_cache(bundle)).check(source, "python", options)
    second = Detector(bundle, threads=1, cache=open_cache(bundle))
    assert second.check(source, "python", options) == first
    assert second._classifier is None, "the model was opened for what was known"
    assert (cache_folder() / FILE_NAME).is_file()
    assert cache_folder() == tmp_path / "cache"


def test_keys_tell_texts_apart() -> None:
    assert unit_key("a") != unit_key("b")
    assert len(unit_key("\ud800")) == 16

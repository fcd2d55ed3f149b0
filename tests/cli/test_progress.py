"""The progress bar: on a terminal only, never in the way of the findings."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codehunch.cli.progress import ProgressBar

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

SCRIPT = """
import sys, time
from codehunch.cli.progress import ProgressBar
with ProgressBar(lambda: ({files}, 1000)) as bar:
    for number in range({files}):
        bar.reading(f"/some/where/folder/m{{number}}.py")
        time.sleep(0.02)
        with bar.aside():
            print("result", number, flush=True)
        bar.done(1000 // {files})
print("end")
"""


def on_a_terminal(code: str) -> str:
    """What a terminal gets from a Python program."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="100", LINES="30")
        os.execv(sys.executable, [sys.executable, "-c", code])
    return b"".join(_chunks(pid, terminal)).decode()


def _chunks(pid: int, terminal: int) -> Iterator[bytes]:
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:  # Linux says EIO when the program has ended.
                    return
                if not data:
                    return
                yield data
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_on_a_terminal() -> None:
    text = on_a_terminal(SCRIPT.format(files=5))
    assert "5/5 files" in text
    assert "folder/m3.py" in text
    assert "/some" not in text
    # Each result stands on a line of its own, and the bar is gone in the end.
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "\n")
    assert [line for line in shown.split("\n") if line.startswith("result")] == [f"result {n}" for n in range(5)]
    assert text.rstrip().endswith("end")
    assert "\x1b[?25h" in text[text.rindex("\x1b[?25l") :]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_single_file_needs_no_bar() -> None:
    assert on_a_terminal(SCRIPT.format(files=1)).replace("\r", "") == "result 0\nend\n"


def test_without_a_terminal_nothing_is_counted_or_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with ProgressBar(lambda: pytest.fail("the files were counted")) as bar:
        bar.reading(str(tmp_path))
        bar.done(1)
        with bar.aside():
            print("result")
    assert capsys.readouterr() == ("result\n", "")

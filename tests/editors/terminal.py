"""A program in a terminal of its own: what it draws is read cell by cell, keys are typed into it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

ROWS, COLUMNS = 40, 120
_ANSWERS = {b"\x1b[c": b"\x1b[?62c", b"\x1b[6n": b"\x1b[1;1R"}
"""What a program asks of a terminal, and what one says."""


class _Screen(pyte.Screen):
    """Passes over what newer terminals know."""

    def report_device_status(self, *_: Any, **__: Any) -> None:
        pass

    def report_device_attributes(self, *_: Any, **__: Any) -> None:
        pass

    def select_graphic_rendition(self, *codes: int, private: bool = False) -> None:
        if not private:
            super().select_graphic_rendition(*codes)

    def set_margins(self, *margins: int, private: bool = False) -> None:
        if not private:
            super().set_margins(*margins)


class Terminal:
    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._screen = _Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def underlined(self) -> list[tuple[int, int, str]]:
        """(row, column, text) of every run of underlined cells, from 0."""
        found: list[tuple[int, int, str]] = []
        for row in range(ROWS):
            cells = self._screen.buffer[row]
            for column in range(COLUMNS):
                if cells[column].underscore:
                    if found and found[-1][0] == row and found[-1][1] + len(found[-1][2]) == column:
                        found[-1] = (*found[-1][:2], found[-1][2] + cells[column].data)
                    else:
                        found.append((row, column, cells[column].data))
        return found

    def press(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def settle(self, seconds: float) -> None:
        """Draw what comes within that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._handle], [], [], left)[0]:
                continue
            try:
                data = os.read(self._handle, 65536)
            except OSError:
                raise AssertionError(f"the program has ended:\n{self.text}") from None
            for question, answer in _ANSWERS.items():
                if question in data:
                    os.write(self._handle, answer)
            self._stream.feed(data)

    def until(self, condition: Callable[[], object], seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it never came:\n{self.text}"
            self.settle(0.2)


@contextmanager
def terminal(*command: str | Path, cwd: Path, env: dict[str, str]) -> Iterator[Terminal]:
    """Run a program; it is killed at the end."""
    process, handle = pty.fork()
    if process == 0:
        try:
            os.chdir(cwd)
            os.execve(command[0], [str(part) for part in command], env)
        finally:
            os._exit(127)  # This is a copy of the process that tests: it must not go on.
    try:
        fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        yield Terminal(handle)
    finally:
        os.kill(process, signal.SIGTERM)
        os.close(handle)
        os.waitpid(process, 0)

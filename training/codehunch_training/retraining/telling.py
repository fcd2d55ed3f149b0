"""What a run tells while it works; the command line draws it, tests collect it."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from codehunch.bundles.bundle import replace_file


class Teller(Protocol):
    """Where words and progress go."""

    def note(self, text: str) -> None:
        """One line for the person."""

    def stage(self, name: str) -> None:
        """A new piece of work begins."""

    def progress(self, done: float, total: float, detail: str = "") -> None:
        """How far the piece of work is."""


class Silent:
    """Tells nobody."""

    def note(self, text: str) -> None: ...
    def stage(self, name: str) -> None: ...
    def progress(self, done: float, total: float, detail: str = "") -> None: ...


class Stopped(Exception):
    """The person asked to stop: everything done so far is kept and the same command goes on."""


def stopper(stop: Callable[[], bool]) -> Callable[[], None]:
    """A check that raises Stopped once ``stop`` is true."""

    def check() -> None:
        if stop():
            raise Stopped

    return check


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the advice that export libraries print for their developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class Recorded:
    """Passes words and progress on, and keeps the latest in a file for who looks from outside, such as an editor.

    The file is a JSON object of ``pid``, ``stage``, ``done``, ``total`` and ``detail``, there only while a run works.
    """

    _EVERY = 1.0

    def __init__(self, teller: Teller, path: Path) -> None:
        self._teller, self._path = teller, path
        self._stage, self._written = "", -math.inf

    def note(self, text: str) -> None:
        self._teller.note(text)

    def stage(self, name: str) -> None:
        self._teller.stage(name)
        self._stage = name
        self._write(0, 1, "")

    def progress(self, done: float, total: float, detail: str = "") -> None:
        self._teller.progress(done, total, detail)
        if time.monotonic() - self._written >= self._EVERY:
            self._write(done, total, detail)

    def end(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self, done: float, total: float, detail: str) -> None:
        self._written = time.monotonic()
        row = {"pid": os.getpid(), "stage": self._stage, "done": done, "total": total, "detail": detail}
        replace_file(self._path, json.dumps(row).encode())

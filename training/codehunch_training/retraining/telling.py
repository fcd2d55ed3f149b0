"""What a run tells while it works; the command line draws it, tests collect it."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Protocol


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

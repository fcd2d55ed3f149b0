"""A service that computes nothing worth having: it sleeps, fails and dies on command, to test who waits for whom."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any


class Service:
    def __init__(self, options: Any, emit: Callable[[str, object], None]) -> None:
        self._options = options
        self._emit = emit
        self._log: list[str] = []

    def echo(self, payload: Any, cancelled: Callable[[], bool]) -> Any:
        self._log.append(f"echo {payload}")
        return payload

    def options(self, payload: Any, cancelled: Callable[[], bool]) -> Any:
        return self._options

    def log(self, payload: Any, cancelled: Callable[[], bool]) -> list[str]:
        return self._log

    def pid(self, payload: Any, cancelled: Callable[[], bool]) -> int:
        return os.getpid()

    def steps(self, payload: tuple[str, int, float], cancelled: Callable[[], bool]) -> str:
        """``(name, count, seconds)``: that many steps, asking after each whether to go on."""
        name, count, seconds = payload
        self._emit("started", name)
        self._log.append(f"{name} started")
        for step in range(count):
            if cancelled():
                self._log.append(f"{name} stopped")
                return f"{name} stopped at {step}"
            time.sleep(seconds)
        self._log.append(f"{name} done")
        return f"{name} done"

    def fail(self, payload: str, cancelled: Callable[[], bool]) -> None:
        raise ValueError(payload)

    def unpicklable(self, payload: Any, cancelled: Callable[[], bool]) -> Any:
        return lambda: None

    def die(self, payload: Any, cancelled: Callable[[], bool]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def exhaust(self, payload: Any, cancelled: Callable[[], bool]) -> None:
        raise MemoryError("cannot allocate 4 GB")

    def allocate(self, payload: int, cancelled: Callable[[], bool]) -> int:
        """Hold so many bytes for a moment, really."""
        return len(bytearray(payload))

    def judge(self, payload: tuple[str, str], cancelled: Callable[[], bool]) -> int:
        """How many findings the bundle in a folder has for a text."""
        from codehunch.bundles.bundle import load_bundle
        from codehunch.defects.detector import Detector
        from codehunch.syntax.text import SourceText

        folder, text = payload
        return len(Detector(load_bundle(folder), threads=1).check(SourceText(text), "python"))

    def chatter(self, payload: Any, cancelled: Callable[[], bool]) -> str:
        print("to nobody's stdout")
        os.write(1, b"nor past Python\n")
        return sys.stdin.read()


def create(options: Any, emit: Callable[[str, object], None]) -> Service:
    if options == "broken":
        raise RuntimeError("no bundle here")
    return Service(options, emit)

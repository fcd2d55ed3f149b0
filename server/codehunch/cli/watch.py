"""``codehunch retrain --watch``: stays, looks for new commits, and retrains in a process of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from codehunch.cli.console import note

_ENDED = (0, 1)
"""Exit codes of a run that came to its end: a better model was promoted, or the present one stays."""
INTERRUPTED = 130


def watch(arguments: Sequence[str], repositories: Sequence[str], tasks: Sequence[str], every: float, least: int) -> int:
    """Look every ``every`` seconds for ``least`` new commits and run ``codehunch retrain`` with ``arguments`` on them.

    The process of a run takes its memory along when it ends, and may be killed without ending the watch. A run that
    failed is tried again at the next look. Ctrl-C, or SIGTERM, ends run and watch.
    """
    from codehunch_training.retraining.watching import look, remember, remembered

    ended = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: object) -> None:
        ended.set()
        if running and number != signal.SIGINT:  # Ctrl-C reaches all processes of a terminal by itself.
            with contextlib.suppress(OSError):
                running[0].terminate()

    for name in ("SIGINT", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    while True:
        known = remembered(repositories, tasks)
        news = look(repositories, known, least)
        if news.enough:
            note(f"retraining: {news.why}")
            process = subprocess.Popen([sys.executable, "-m", "codehunch", "retrain", *arguments])
            running[:] = [process]
            if ended.is_set():  # Between the look and the start.
                process.terminate()
            code = process.wait()
            running.clear()
            if code in _ENDED:
                remember(repositories, tasks, {**known, **news.heads})
            elif not ended.is_set():
                how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                note(f"the run {how}; it is tried again at the next look")
        else:
            note(news.why)
        if not ended.is_set():
            note(f"next look in {_spoken(every)}; Ctrl-C ends")
        if ended.wait(every):
            return INTERRUPTED


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} seconds"
    return f"{seconds / 60:g} minutes" if seconds < 7200 else f"{seconds / 3600:g} hours"

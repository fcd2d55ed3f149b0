"""Ends the server when the editor that started it is gone, however it went."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

EVERY = 0.5
GRACE = 1.0


def watch(pid: int, gone: Callable[[], object]) -> None:
    """Call ``gone`` from a thread once no process has ``pid`` any more, and end this one a second later.

    The second is for a server whose event loop does not get to it.
    """

    def run() -> None:
        while process_exists(pid):
            time.sleep(EVERY)
        try:
            gone()
        except RuntimeError:  # The loop is closed: the end has begun already.
            return
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=run, name="codehunch-watchdog", daemon=True).start()


def process_exists(pid: int) -> bool:
    """Whether a process has this id. Processes of other users count."""
    if pid <= 0:
        return True
    if sys.platform == "win32":
        import ctypes

        synchronize, wait_timeout = 0x00100000, 0x102
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(synchronize, False, pid)
        if not handle:
            return bool(kernel.GetLastError() == 5)  # Access denied: it is there, and it is not ours.
        try:
            return bool(kernel.WaitForSingleObject(handle, 0) == wait_timeout)
        finally:
            kernel.CloseHandle(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

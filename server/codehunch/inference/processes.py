"""The worker as an operating system process: started apart from the server's streams, written to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from codehunch.inference.frames import pack

_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from codehunch.inference.worker_main import main; main()"
_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "MALLOC_ARENA_MAX": "2"}


def import_path() -> list[str]:
    """The server's own import path without the working folder, which ``python -m`` puts first: there lies the code a
    person works on, and its numpy.py must not be imported. The folder of this package stays in any case.
    """
    package = Path(__file__).resolve().parents[2]
    here = Path.cwd()
    return [entry for entry in sys.path if Path(entry).resolve() != here or here == package]


async def spawn() -> asyncio.subprocess.Process:
    """A worker that waits for its first message. It inherits stderr and none of the server's other streams.

    Raises OSError where the system refuses.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        _BOOT,
        *import_path(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **_ENVIRONMENT},
    )


def write(process: asyncio.subprocess.Process, message: object) -> None:
    """Queue a frame. A process that is gone swallows it; its reader settles the call."""
    if process.stdin is not None and not process.stdin.is_closing():
        process.stdin.write(pack(message))


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process at once; one that has ended is left alone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if os.name == "nt":
                process.kill()
            else:
                # Process.kill polls first and so reaps a child that has just ended, behind the back of asyncio's
                # watcher, which then reports a made-up status.
                os.kill(process.pid, signal.SIGKILL)

"""Where words for people go: stderr for what is said about a run, stdout for its result."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


_FULL_PIPE = 0.01
"""Seconds to wait for a reader."""


class CommandError(Exception):
    """Something the person has to change. The message says what was wrong, where, and what to do next."""


def error(message: str) -> None:
    """A failure that ends the command, or that makes it exit with 2."""
    _say("error", "bold red", message)


def warning(message: str) -> None:
    """Something to know about; the run goes on."""
    _say("warning", "bold yellow", message)


def skipped(path: str, reason: str) -> None:
    """A file that was left out, and why."""
    _say("skipped", "bold blue", f"{shown(path)}: {reason}")


def note(message: str) -> None:
    """One plain line about the run."""
    print(message, file=sys.stderr, flush=True)


def write_out(text: str) -> None:
    """Write a result to stdout, all of it: also where a signal cuts a write short and Python does not buffer.

    An unbuffered text stream (PYTHONUNBUFFERED, ``python -u``) silently drops what a partial write left over.
    """
    stream = sys.stdout
    stream.flush()
    left = memoryview(text.encode(stream.encoding or "utf-8", "backslashreplace"))
    while left:
        written = stream.buffer.write(left)
        if not written:  # A pipe that somebody made non-blocking is full.
            time.sleep(_FULL_PIPE)
        left = left[written or 0 :]


def stdout_console() -> Console:
    """A rich console for results; colours only on a terminal, and as NO_COLOR and FORCE_COLOR say."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def shown(path: str) -> str:
    """A path as people read it: relative below the working folder, else absolute, without control characters."""
    from codehunch.patterns import relative_to

    return printable(relative_to(path, os.path.abspath(os.curdir)) or path)


def printable(text: str) -> str:
    """``text`` with everything that could move a terminal's cursor, or fail to print, written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _say(word: str, style: str, message: str) -> None:
    message = " ".join(message.splitlines())
    if not sys.stderr.isatty():
        print(f"{word}: {message}", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble((f"{word}:", style), " ", message))

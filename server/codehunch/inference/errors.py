"""What can go wrong between a bundle and its numbers; every message is for people."""

from __future__ import annotations


class InferenceError(RuntimeError):
    """A graph that cannot be loaded or run. The message names the file and the next thing to do."""


class WorkerError(InferenceError):
    """A call raised on the side that does the work. The message is the original one."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        """Class name of the original exception."""


class WorkerDied(WorkerError):
    """The worker process ended before it answered. The next call starts a new one."""


class Cancelled(Exception):
    """The caller no longer wants the answer."""

"""What can go wrong between a bundle and its numbers; every message is for people."""

from __future__ import annotations


class InferenceError(RuntimeError):
    """A graph that cannot be loaded or run. The message names the file and the next thing to do."""


class WorkerError(InferenceError):
    """A call raised inside the worker process. The message is the original one."""


class WorkerDied(WorkerError):
    """The worker process ended before it answered. The next call starts a new one."""


class Cancelled(Exception):
    """The caller no longer wants the answer."""

"""The engine as its callers see it: one asynchronous call, whether a process or a thread does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

INTERACTIVE = 0
"""A person waits for this answer now: ghost text, a completion, a hover."""
DOCUMENT = 1
"""An open document: its findings appear when they are ready."""
BACKGROUND = 2
"""Nobody waits: a workspace scan, an index."""


class CancelToken:
    """Tells one or more calls that their answer is no longer wanted. Cancelling twice is fine."""

    def __init__(self) -> None:
        self._cancelled = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """Set the flag and run the callbacks, once."""
        if not self._cancelled:
            self._cancelled = True
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run ``callback`` at the cancel, or at once when that is past. Returns a function that forgets it."""
        if self._cancelled:
            callback()
            return lambda: None
        self._callbacks.append(callback)

        def forget() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return forget


class Engine(Protocol):
    """Calls methods of a service somewhere else, the urgent ones first.

    A service method takes ``(payload, cancelled)``. It calls ``cancelled()`` between steps, such as batches
    or decoded tokens, and gives up where that is true. More urgent calls are served inside ``cancelled()``,
    so a method holds no lock while it calls it.
    """

    async def call(
        self, method: str, payload: object, *, priority: int = INTERACTIVE, cancel: CancelToken | None = None
    ) -> object:
        """The method's result. A lower ``priority`` number goes first.

        Raises Cancelled when the token was cancelled, WorkerError with the original message when the method
        raised, WorkerDied when its process ended. Cancelling the awaiting task cancels the call.
        """
        ...

    async def close(self) -> None:
        """End the work; pending calls fail with WorkerDied."""
        ...


Emit = Callable[[str, object], None]
"""``emit(name, value)``: how a service tells its owner something no call asked for, such as a model loading."""

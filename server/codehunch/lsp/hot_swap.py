"""Another choice of bundles takes over while a session runs: noticed, loaded beside the one that serves, switched to.

The server's process looks at the store's state file; the worker loads in a thread of its own and switches between two
requests, so nobody waits for a model and no answer mixes two of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from codehunch.bundles.store import store_folder
from codehunch.inference.errors import Cancelled, WorkerError
from codehunch.inference.protocol import BACKGROUND

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

SECONDS = 1.0
"""How often the state file is looked at."""

logger = logging.getLogger(__name__)
T = TypeVar("T")


def store_state() -> int:
    """Changes with every choice of a bundle; 0 where none was ever made."""
    try:
        return (store_folder() / "state.json").stat().st_mtime_ns
    except OSError:
        return 0


class Successor(Generic[T]):
    """What is being loaded to take over. Belongs to the worker's main thread."""

    def __init__(self, ready: Callable[[], object]) -> None:
        """``ready`` is called from the loading thread, once there is something to take."""
        self._ready = ready
        self._wanted = 0
        self._lock = threading.Lock()
        self._loaded: tuple[T | None] | None = None

    def begin(self, load: Callable[[], T]) -> None:
        """Load in the background; an earlier load that is not taken yet is forgotten."""
        with self._lock:
            self._wanted += 1
            self._loaded = None
            number = self._wanted
        threading.Thread(target=self._run, args=(load, number), name="codehunch-loading", daemon=True).start()

    def take(self) -> tuple[T | None] | None:
        """What was loaded, once; ``(None,)`` where loading failed, ``None`` while there is nothing to take."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
            return loaded

    def _run(self, load: Callable[[], T], number: int) -> None:
        try:
            found: T | None = load()
        except Exception as error:  # The next request loads in the usual way, and tells the person what is wrong.
            logger.warning("the chosen bundle could not be loaded beside the other: %s", error)
            found = None
        with self._lock:
            if number != self._wanted:
                return
            self._loaded = (found,)
        self._ready()


async def follow_store(server: CodeHunchServer) -> None:
    """Tell the worker of every new choice, for as long as the session runs."""
    known = store_state()
    while True:
        await asyncio.sleep(SECONDS)
        now = await asyncio.to_thread(store_state)
        if now == known:
            continue
        known = now
        if server.engine.pid is None:  # Nothing is loaded: whatever is asked next meets the new choice.
            server.refresh()
            continue
        with contextlib.suppress(WorkerError, Cancelled):
            await server.engine.call("follow", None, priority=BACKGROUND)

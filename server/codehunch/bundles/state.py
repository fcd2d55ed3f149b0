"""Which bundle serves which task: one small JSON file beside the installed bundles, and the lock that guards it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from codehunch.bundles.bundle import replace_file
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import TASKS, UPGRADE, Task

STATE_NAME = "state.json"
LOCK_NAME = "lock"
STATE_SCHEMA = 1
EMBEDDED = "embedded"
"""The entry of a history that stands for the bundle inside the package."""
HISTORY_LENGTH = 10
LOCK_SECONDS = 30.0


@attrs.frozen
class State:
    """For each task the folder names chosen so far, the newest last; an empty history means the embedded bundle."""

    history: dict[Task, tuple[str, ...]] = attrs.field(factory=lambda: dict.fromkeys(TASKS, ()))

    def active(self, task: Task) -> str:
        """The folder name chosen for the task, or EMBEDDED."""
        return self.history[task][-1] if self.history[task] else EMBEDDED

    def chosen(self, task: Task, name: str) -> State:
        """The state after ``name`` was made active."""
        if self.active(task) == name:
            return self
        return self._with(task, (*self.history[task], name)[-HISTORY_LENGTH:])

    def stepped_back(self, task: Task) -> State:
        """The state before the last choice."""
        return self._with(task, self.history[task][:-1])

    def without(self, task: Task, names: frozenset[str]) -> State:
        """The state after these folders are gone."""
        kept: list[str] = []
        for name in self.history[task]:
            if name not in names and (kept or [EMBEDDED])[-1] != name:
                kept.append(name)
        return self._with(task, tuple(kept))

    def _with(self, task: Task, names: tuple[str, ...]) -> State:
        return State({**self.history, task: names})


def read_state(root: Path) -> State:
    """The state of the store at ``root``; nothing chosen where there is no file. Raises BundleError."""
    path = root / STATE_NAME
    remedy = "delete it and choose again with `codehunch bundles use`"
    try:
        tree = json.loads(path.read_bytes())
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror or error})", "check its permissions") from error
    except ValueError as error:
        raise BundleError(path, f"not complete JSON ({error})", remedy) from error
    if isinstance(tree, dict) and isinstance(tree.get("schema"), int) and tree["schema"] > STATE_SCHEMA:
        raise BundleError(path, f"written in schema {tree['schema']}, this version reads up to {STATE_SCHEMA}", UPGRADE)
    try:
        history = {task: tuple(tree["history"][task]) for task in TASKS}
    except (KeyError, TypeError) as error:
        raise BundleError(path, "lacks its history", remedy) from error
    # The names become paths, so nothing but the store's own folder names may pass.
    if not all(isinstance(name, str) and name == Path(name).name for names in history.values() for name in names):
        raise BundleError(path, "holds a name that is not a bundle's folder", remedy)
    return State(history)


def write_state(root: Path, state: State) -> None:
    """Replace the state in one step; the caller holds the lock."""
    tree = {"schema": STATE_SCHEMA, "history": {task: list(names) for task, names in state.history.items()}}
    replace_file(root / STATE_NAME, (json.dumps(tree, indent=2) + "\n").encode())


@contextlib.contextmanager
def locked(root: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the store at ``root`` against other processes. The system frees the lock when a process dies.

    Raises BundleError when another process keeps it for longer than ``seconds``.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = root / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise BundleError(path, "another codehunch is changing the bundles", "wait for it and try again")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

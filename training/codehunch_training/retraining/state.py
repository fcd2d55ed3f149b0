"""The folder of one run: what is done, how much of the budget is spent, and who is working in it.

Every step leaves a file or a folder that takes its place by a rename, so a killed run goes on after the last whole
step; the budget counts the time of all its runs together.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from codehunch.bundles.bundle import replace_file
from codehunch.bundles.store import store_folder
from codehunch_training.retraining.options import Options, RetrainError

STATE = "state.json"
RESULT = "result.json"
PROGRESS = "progress.json"
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.monotonic, "cpu": time.process_time}
KEPT_RUNS = 5
"""Finished runs kept, with their reports; older ones lose their folder."""


@attrs.define
class RunFolder:
    """A run on disk. ``elapsed`` is the time of all its processes so far, by the budget's clock."""

    path: Path
    before: float = 0.0
    """Seconds spent by earlier processes."""
    clock: Callable[[], float] = time.monotonic
    _started: float = attrs.field(default=attrs.Factory(lambda self: self.clock(), takes_self=True))

    planned: float = 0.0
    """Seconds a dry run would have spent on the tasks it has estimated."""

    @property
    def elapsed(self) -> float:
        return self.before + self.clock() - self._started

    def file(self, *names: str) -> Path:
        return self.path.joinpath(*names)

    def tick(self) -> None:
        """Write down how much time is spent."""
        write_json(self.path / STATE, {"elapsed": round(self.elapsed, 2)})

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()


def runs_folder() -> Path:
    """Where run folders lie: beside the installed bundles."""
    return store_folder().parent / "retrain"


def open_run(
    options: Options, heads: Mapping[str, str], chosen: Path | None = None, began: float | None = None
) -> RunFolder:
    """The unfinished run that was started with the same wishes at the same commits, or a new one.

    ``began`` is when this process's share of the budget began, by the clock of the options.
    """
    identity = identity_of(options, heads)
    path = chosen
    if path is None:
        root = runs_folder()
        known = sorted(root.glob(f"*-{identity[:10]}")) if root.is_dir() else []
        path = next((each for each in reversed(known) if not (each / RESULT).exists()), None)
        if path is None:
            _forget_old(root)
            path = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{identity[:10]}"
    elif (path / "run.json").is_file() and json.loads((path / "run.json").read_text()).get("identity") != identity:
        raise RetrainError(
            f"{path} belongs to a run with other repositories, commits or options; choose another --folder"
        )
    path.mkdir(parents=True, exist_ok=True)
    if not (path / "run.json").is_file():
        described = attrs.asdict(
            options, value_serializer=lambda _, __, v: sorted(v) if isinstance(v, frozenset) else v
        )
        write_json(path / "run.json", {"identity": identity, "options": described, "heads": dict(heads)})
    before = 0.0
    with contextlib.suppress(OSError, ValueError, KeyError):
        before = float(json.loads((path / STATE).read_text())["elapsed"])
    clock = CLOCKS[options.clock]
    return RunFolder(path, before, clock, clock() if began is None else began)


def identity_of(options: Options, heads: Mapping[str, str]) -> str:
    """Equal for calls that mean the same work. Which bundles serve is part of it: they are what is improved."""
    wishes = attrs.asdict(options, value_serializer=lambda _, __, v: sorted(v) if isinstance(v, frozenset) else v)
    for name in ("jobs", "promote"):
        wishes.pop(name)
    return hashlib.sha256(json.dumps([wishes, dict(heads)], sort_keys=True).encode()).hexdigest()


def _forget_old(root: Path) -> None:
    finished = sorted(path.parent for path in root.glob(f"*/{RESULT}")) if root.is_dir() else []
    for path in finished[: max(0, len(finished) - KEPT_RUNS + 1)]:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out. The lock goes with the process, however it ends. Raises RetrainError."""
    with (folder.path / "lock").open("w") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two runs in one folder are the person's own affair there.
            pass
        except OSError as error:
            raise RetrainError(f"another process is working in {folder.path}; wait for it, or end it") from error
        yield


def write_json(path: Path, tree: object) -> None:
    """A JSON file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (json.dumps(tree, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def made_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that gets its name when the block ends well. What lay there before is replaced."""
    part = path.with_name(path.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(path, ignore_errors=True)
    os.replace(part, path)

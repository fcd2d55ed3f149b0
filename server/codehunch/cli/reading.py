"""Sources for a run, read ahead of the model so that it never waits for a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import attrs

from codehunch.files import Entry, Missing, SettingsOf, Skipped, SourceFile, read_source
from codehunch.settings import Settings
from codehunch.syntax.decoding import SourceUnreadable
from codehunch.syntax.text import SourceText

_AHEAD = 8
"""Files that wait in memory at most, each no larger than max-file-size."""


@attrs.frozen
class Loaded:
    """A file that can be checked."""

    path: str
    language: str
    size: int
    source: SourceText
    settings: Settings


def load(entries: Iterable[Entry], settings_of: SettingsOf) -> Iterator[Loaded | Skipped | Missing]:
    """Read each file of a walk, in its order. Walking and settings stay on the caller's thread."""
    waiting: deque[Future[Loaded | Skipped] | Skipped | Missing] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="codehunch-read")
    try:
        for entry in entries:
            if isinstance(entry, SourceFile):
                waiting.append(pool.submit(_load, entry, settings_of(entry.path)))
            else:
                waiting.append(entry)
            if len(waiting) > _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load(file: SourceFile, settings: Settings) -> Loaded | Skipped:
    try:
        decoded = read_source(file, settings.max_file_bytes)
    except SourceUnreadable as error:
        return Skipped(file.path, error.reason)
    return Loaded(file.path, file.language, file.size, decoded.source, settings)


def _result(item: Future[Loaded | Skipped] | Skipped | Missing) -> Loaded | Skipped | Missing:
    return item.result() if isinstance(item, Future) else item

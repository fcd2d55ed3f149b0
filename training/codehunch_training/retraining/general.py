"""General code: Python's own library, which lies on every machine. Half of it is rehearsed, the other half judges
whether a retrained model has forgotten anything.

The split is by file. Whether the shipped models were trained on it does not matter here: old and new read the same.
"""

from __future__ import annotations

import random
import sysconfig
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.corpus.around import Source, source_of
from codehunch_training.corpus.docstrings import examples_in
from codehunch_training.retraining.mining import functions_in

_SKIPPED = frozenset("test tests idlelib lib2to3 turtledemo site-packages dist-packages ensurepip __pycache__".split())
_FILES = 320
"""Files read at most, a seeded choice."""


@attrs.frozen(eq=False)
class General:
    """Functions and prompts with bodies, of files for rehearsal and of others for the hold-out."""

    rehearsal: tuple[Source, ...]
    held_out: tuple[Source, ...]
    rehearsal_bodies: tuple[dict[str, Any], ...]
    held_out_bodies: tuple[dict[str, Any], ...]
    root: str = ""


def read_general(functions: int, seed: int = 0, bodies: bool = True) -> General:
    """At most ``functions`` of the hold-out and eight times as many to rehearse; the same for every run."""
    found: dict[bool, list[Source]] = {False: [], True: []}
    asked: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    most = {True: functions, False: 8 * functions}
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in _files(root, seed):
        held = zlib.crc32(path.name.encode()) % 4 == 0
        if len(found[held]) >= most[held] and (not bodies or len(asked[held]) >= most[held]):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found[held] += [source_of(row) for row in functions_in(text, path.name, {})]
        if bodies:
            asked[held] += examples_in(text, path.name, "python")
    return General(
        tuple(found[False][: most[False]]),
        tuple(found[True][: most[True]]),
        tuple(asked[False][: most[False]]),
        tuple(asked[True][: most[True]]),
        str(root),
    )


def _files(root: Path, seed: int) -> Iterator[Path]:
    files = [path for path in sorted(root.rglob("*.py")) if not _SKIPPED & set(path.relative_to(root).parts)]
    random.Random(seed).shuffle(files)
    yield from (path for path in files[:_FILES] if path.stat().st_size < 200_000)

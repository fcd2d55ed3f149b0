"""The first two sieves of mining: which commits look like small fixes, and which lines they changed.

Only git's own output is read here: raw tree differences with messages, then patches without context.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

from codehunch_training.corpus.messages import promises_fix
from codehunch_training.corpus.paths import is_source, is_test
from codehunch_training.corpus.repositories import Repository

MAX_FILES = 3
"""Source files a fix may touch, tests and documents not counted."""
MAX_LINES = 12
"""Changed lines of one file, old and new together."""
MAX_HUNKS = 6
_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@attrs.frozen
class Hunk:
    """Changed rows, 0-based and half open, in the old and the new file. An empty range lies before its row."""

    old: tuple[int, int]
    new: tuple[int, int]


@attrs.frozen
class FileChange:
    path: str
    old: str
    new: str
    """Object names of the two blobs."""
    hunks: tuple[Hunk, ...]


@attrs.frozen
class Commit:
    name: str
    date: str
    message: str


def promising(repository: Repository, commits: list[str], skipped: Counter[str], any_message: bool) -> Iterator[Commit]:
    """Commits whose message and list of files look like a small fix in Python code."""
    for record in _records(repository, commits, skipped):
        name, stamp, message, *raw = record.split(b"\0")
        text = message.decode("utf-8", "replace")
        if not any_message and not promises_fix(text):
            skipped["message"] += 1
            continue
        if not _small(raw):
            skipped["files changed"] += 1
            continue
        yield Commit(name.decode(), _date(stamp), text)


RESTARTS = 20
"""How often git is started again behind a commit whose objects are missing, in one stretch of commits."""


def _records(repository: Repository, commits: list[str], skipped: Counter[str]) -> Iterator[bytes]:
    """Commit name, time, message and raw tree difference of each commit. Broken ones are counted and left out."""
    form = "--format=%x01%H%x00%at%x00%B%x00"
    for _ in range(RESTARTS):
        if not commits:
            return
        lines = "".join(f"{name}\n" for name in commits).encode()
        arguments = ("diff-tree", "--stdin", "-r", "--raw", "-z", "--no-renames", "--root", form)
        records = re.split(rb"\x01(?=[0-9a-f]{40,64}\x00)", repository.run(*arguments, stdin=lines, partly=True))[1:]
        yield from records
        if len(records) >= len(commits):
            return
        skipped["missing object"] += 1
        commits = commits[len(records) + 1 :]
    skipped["missing object"] += len(commits)


def _date(stamp: bytes) -> str:
    try:
        return datetime.fromtimestamp(int(stamp or 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""  # Broken clocks have written years git can hold and Python cannot.


def _small(raw: list[bytes]) -> bool:
    """One to three changed sources, none added or deleted. ``raw`` alternates status fields and paths."""
    sources = 0
    index = 0
    while index + 1 < len(raw):
        meta = raw[index].strip()
        if not meta.startswith(b":"):
            index += 1
            continue
        path = raw[index + 1].decode("utf-8", "replace")
        index += 2
        if not is_source(path) or is_test(path):
            continue
        if not meta.endswith(b"M"):
            return False
        sources += 1
    return 0 < sources <= MAX_FILES


def patches(
    repository: Repository, commits: list[str], skipped: Counter[str]
) -> Iterator[tuple[str, list[FileChange]]]:
    """Each commit's changed sources with their hunks, in the order given. Broken commits are counted and left out."""
    for _ in range(RESTARTS):
        begun = ""
        for name, files in _patches(repository, commits):
            if files is not None:
                yield name, files
            else:
                begun = name
        if not begun:
            return
        skipped["missing object"] += 1
        commits = commits[commits.index(begun) + 1 :]
    skipped["missing object"] += len(commits)


def _patches(repository: Repository, commits: list[str]) -> Iterator[tuple[str, list[FileChange] | None]]:
    """One run of git; where it fails, ``None`` comes with the commit it may have failed in."""
    if not commits:
        return
    process = repository.stream(
        "diff-tree", "--stdin", "-r", "-p", "-U0", "--root", "--no-renames", "--no-color", "--no-ext-diff",
        "--no-textconv", "--full-index", "--diff-filter=M", "--src-prefix=a/", "--dst-prefix=b/", "--format=%x01%H",
        "--", "*.py", lines=commits,
    )  # fmt: skip
    assert process.stdout is not None
    current = ""
    files: list[FileChange] = []
    path = old = new = ""
    hunks: list[Hunk] = []

    def close() -> None:
        if path and hunks:
            files.append(FileChange(path, old, new, tuple(hunks)))

    with process.stdout:
        for line in process.stdout:
            mark = line[:1]
            if mark in b"+-" and not line.startswith((b"--- ", b"+++ ")):
                continue
            if mark == b"@":
                match = _HUNK.match(line)
                if match:
                    hunks.append(_hunk(*match.groups()))
            elif mark == b"i" and line.startswith(b"index "):
                old, _, new = line.split()[1].decode().partition("..")
            elif line.startswith(b"diff --git "):
                close()
                path, hunks = "", []
            elif line.startswith(b"+++ b/"):
                path = line[6:].rstrip(b"\n").rstrip(b"\t").decode("utf-8", "replace")
            elif mark == b"\x01":
                close()
                if current:
                    yield current, files
                current, files, path, hunks = line[1:].strip().decode(), [], "", []
    close()
    if process.wait():
        yield current or commits[0], None  # The patch git stopped in may be cut short.
    elif current:
        yield current, files


def _hunk(old: bytes, old_count: bytes | None, new: bytes, new_count: bytes | None) -> Hunk:
    a, b = int(old), int(old_count) if old_count is not None else 1
    c, d = int(new), int(new_count) if new_count is not None else 1
    start, other = (a - 1 if b else a), (c - 1 if d else c)
    return Hunk((start, start + b), (other, other + d))

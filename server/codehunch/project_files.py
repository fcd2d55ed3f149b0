"""Which files a project has, and what they are to each other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from codehunch.files import SourceFile, walk
from codehunch.settings import SettingsReader

_MARKS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")
"""What stands in the outermost folder of a project."""
LISTED_FOR = 30.0
"""Seconds for which the list of a project's files holds."""
_LISTED = 20_000
"""Files of a project that are listed."""
_TESTS = {"test", "tests", "testing"}


class ProjectFiles:
    """Lists of projects' Python files. Asks the disk: not for the event loop's thread."""

    def __init__(self) -> None:
        self._listed: dict[Path, tuple[float, tuple[str, ...]]] = {}

    def of(self, root: Path) -> tuple[str, ...]:
        """The Python files of the project in a folder, as a check of it would find them."""
        now = time.monotonic()
        if root not in self._listed or now - self._listed[root][0] > LISTED_FOR:
            self._listed[root] = now, tuple(_files_of(root))
        return self._listed[root][1]


def _files_of(root: Path) -> Iterator[str]:
    entries = walk([str(root)], ["python"], SettingsReader().for_folder)
    return (each.path for each in islice(entries, _LISTED) if isinstance(each, SourceFile))


def root_of(path: Path) -> Path | None:
    """The outermost folder of the project that a file belongs to; that of the outermost package where nothing says;
    ``None`` where it would be the whole disk."""
    folder = path.parent
    found = next(
        (each for each in (folder, *folder.parents) if any(os.path.exists(each / mark) for mark in _MARKS)), None
    )
    if found is None:
        depth = len(package_of(folder))
        found = folder.parents[depth - 1] if depth else folder
    return found if found != found.parent else None


def package_of(folder: Path) -> tuple[str, ...]:
    """The dotted name of the package that a folder is; nothing where it is none."""
    parts: list[str] = []
    while folder != folder.parent and os.path.isfile(folder / "__init__.py"):
        parts.insert(0, folder.name)
        folder = folder.parent
    return tuple(parts)


def is_test(file: Path) -> bool:
    """Whether a file is made for tests: what it defines is for them."""
    return file.name.startswith(("test_", "conftest.")) or not _TESTS.isdisjoint(file.parts)

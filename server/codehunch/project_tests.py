"""What the tests of a project assert that the functions of a file give."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path

from codehunch.files import SourceFile, walk
from codehunch.project_files import LISTED_FOR, is_test, package_of, root_of
from codehunch.settings import SettingsReader
from codehunch.syntax.common import common_prefix
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.synthesis.tests import Tested, claims_of, passed_on

_FILES, _BYTES, _SECONDS = 2000, 400_000, 0.75
"""Bounds of one look: test files, bytes of one of them, seconds."""
_HOLDS = 2.0
"""Seconds for which nobody looks again."""
_LINES = 12
"""Of one function, from the nearest tests first."""
_FOLDERS = ("tests", "test")
_Stamp = tuple[int, int]


class ProjectTests:
    """Asks the disk: not for the event loop's thread. Never raises; a file that cannot be read has no say."""

    def __init__(self) -> None:
        self._tests: dict[Path, tuple[float, tuple[str, ...]]] = {}
        self._said: dict[str, tuple[_Stamp, bytes, Mapping[Tested, Sequence[str]] | None]] = {}
        self._passed_on: dict[Path, tuple[_Stamp, frozenset[Tested]]] = {}
        self._known: dict[Path, tuple[float, dict[str, str]]] = {}

    def asserted(self, path: Path) -> dict[str, str]:
        """Lines such as ``f(2) == 4``, by function, that the tests of the project hold to be true of the file at a
        path; none of a test."""
        now = time.monotonic()
        known = self._known.get(path)
        if known is None or now - known[0] > _HOLDS:
            if len(self._known) > _FILES:
                self._known.clear()
            known = self._known[path] = now, self._look(path)
        return known[1]

    def _look(self, path: Path) -> dict[str, str]:
        root = root_of(path)
        if root is None or is_test(path.relative_to(root)):
            return {}
        package = package_of(path.parent)
        module = ".".join(package if path.stem == "__init__" else (*package, path.stem))
        words = {part.encode("utf-8", "replace") for part in module.split(".")}
        found: dict[str, list[str]] = {}
        end, here = time.monotonic() + _SECONDS, str(path)
        folders = takewhile(lambda each: each != root.parent, (path.parent, *path.parent.parents))
        files = dict.fromkeys(file for folder in folders for file in self._tests_of(folder))
        for file in sorted(files, key=lambda each: -common_prefix(here, each))[:_FILES]:
            if time.monotonic() > end:
                break
            for (of, name), lines in self._says(file, words).items():
                if of == module or self._passes_on(of, name, path, package):
                    found.setdefault(name, []).extend(lines)
        return {name: "\n".join(lines[:_LINES]) for name, lines in found.items()}

    def _tests_of(self, folder: Path) -> tuple[str, ...]:
        """The tests in a folder, and those in a folder for tests there: nobody looks through a whole project."""
        known = self._tests.get(folder)
        if known is None or time.monotonic() - known[0] > LISTED_FOR:
            beside = (each for each in _names(folder) if each.startswith("test_") or each.endswith("_test.py"))
            tests = [str(folder / each) for each in beside if each.endswith(".py")]
            for name in _FOLDERS:
                entries = walk([str(folder / name)], ["python"], SettingsReader().for_folder)
                found = (each.path for each in entries if isinstance(each, SourceFile))
                tests += islice(found, _FILES) if (folder / name).is_dir() else ()
            known = self._tests[folder] = time.monotonic(), tuple(tests)
        return known[1]

    def _passes_on(self, of: str, name: str, path: Path, package: tuple[str, ...]) -> bool:
        """Whether a package that a file is in imports a name from it, for others to import."""
        depth = of.count(".") + 1
        if path.stem == "__init__" or depth > len(package) or ".".join(package[:depth]) != of:
            return False
        init = path.parents[len(package) - depth] / "__init__.py"
        try:
            info = os.stat(init)
            stamp = info.st_mtime_ns, info.st_size
            known = self._passed_on.get(init)
            if known is None or known[0] != stamp:
                text = decode_source(init.read_bytes()[:_BYTES]).source.text
                known = self._passed_on[init] = stamp, frozenset(passed_on(text, package[:depth]))
        except (OSError, SourceUnreadable):
            return False
        return (".".join((*package, path.stem)), name) in known[1]

    def _says(self, file: str, words: Collection[bytes]) -> Mapping[Tested, Sequence[str]]:
        """What a test file says, if it has one of the words; read again when it has changed."""
        try:
            info = os.stat(file)
            stamp = info.st_mtime_ns, info.st_size
            known = self._said.get(file)
            if known is None or known[0] != stamp:
                with open(file, "rb") as stream:
                    data = stream.read(_BYTES + 1)
                known = stamp, data if b"assert" in data and len(data) <= _BYTES else b"", None
            if not any(word in known[1] for word in words):
                self._said[file] = known
                return {}
            if known[2] is None:
                known = stamp, known[1], claims_of(decode_source(known[1]).source.text)
            self._said[file] = known
            return known[2] or {}
        except (OSError, SourceUnreadable):
            return {}


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []

"""The tests of a project that are about a file, and what they assert that its functions give."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path

import attrs

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
_NEAREST = 8
"""Files of tests that may say something of a file."""
_SETS_UP = re.compile(rb"autouse[ \t]*=[ \t]*True|def[ \t]+pytest_(runtest|pyfunc)")
"""What is done before each test of a folder."""
_Stamp = tuple[int, int]


@attrs.frozen
class Told:
    """What tests say of a file."""

    asserted: Mapping[str, str] = attrs.field(factory=dict)
    """Lines such as ``f(2) == 4``, by function, that they hold to be true."""
    files: tuple[str, ...] = ()
    """Those that may be about it, the likeliest first."""


class ProjectTests:
    """Asks the disk: not for the event loop's thread. Never raises; a file that cannot be read has no say."""

    def __init__(self) -> None:
        self._tests: dict[Path, tuple[float, tuple[str, ...]]] = {}
        self._said: dict[str, tuple[_Stamp, bytes, Mapping[Tested, Sequence[str]] | None]] = {}
        self._passed_on: dict[Path, tuple[_Stamp, frozenset[Tested]]] = {}
        self._known: dict[Path, tuple[float, Told]] = {}

    def told(self, path: Path) -> Told:
        """What they say of the file at a path; nothing of a test."""
        now = time.monotonic()
        known = self._known.get(path)
        if known is None or now - known[0] > _HOLDS:
            if len(self._known) > _FILES:
                self._known.clear()
            known = self._known[path] = now, self._look(path)
        return known[1]

    def _look(self, path: Path) -> Told:
        root = root_of(path)
        if root is None or is_test(path.relative_to(root)):
            return Told()
        package = package_of(path.parent)
        module = ".".join(package if path.stem == "__init__" else (*package, path.stem))
        words = {part.encode("utf-8", "replace") for part in module.split(".")}
        found: dict[str, list[str]] = {}
        near: list[tuple[int, int, str]] = []
        own = package[-1] if path.stem == "__init__" and package else path.stem
        end, here = time.monotonic() + _SECONDS, str(path)
        folders = takewhile(lambda each: each != root.parent, (path.parent, *path.parent.parents))
        files = dict.fromkeys(file for folder in folders for file in self._tests_of(folder))
        for file in sorted(files, key=lambda each: -common_prefix(here, each))[:_FILES]:
            if time.monotonic() > end:
                break
            says = self._says(file, words)
            if file in self._said and any(word in self._said[file][1] for word in words):
                named = 2 * (own in Path(file).stem) + (own.encode("utf-8", "replace") in self._said[file][1])
                near.append((-named, len(near), file))
            for (of, name), lines in says.items():
                if of == module or self._passes_on(of, name, path, package):
                    found.setdefault(name, []).extend(lines)
        asserted = {name: "\n".join(lines[:_LINES]) for name, lines in found.items()}
        nearest = (file for _, _, file in sorted(near))
        return Told(asserted, tuple(islice((each for each in nearest if not _is_set_up(Path(each), root)), _NEAREST)))

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
                known = stamp, data if (b"assert" in data or b"raises" in data) and len(data) <= _BYTES else b"", None
            if not any(word in known[1] for word in words):
                self._said[file] = known
                return {}
            if known[2] is None:
                known = stamp, known[1], claims_of(decode_source(known[1]).source.text)
            self._said[file] = known
            return known[2] or {}
        except (OSError, SourceUnreadable):
            return {}


def _is_set_up(file: Path, root: Path) -> bool:
    """Whether something is done before each test of a file that the file does not say."""
    folders = takewhile(lambda each: each != root.parent, file.parents)
    return any(_SETS_UP.search(_content(folder / "conftest.py")) for folder in folders)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()[:_BYTES]
    except OSError:
        return b""


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []

"""The files of a project as programs, as its other files import them."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from pathlib import Path

import attrs

from codehunch.interpreter.program import Program
from codehunch.project_files import package_of, root_of
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.sections import cut_at, section_starts

_HOLDS = 2.0
"""Seconds for which nobody asks the disk again."""
_FILES, _BYTES = 400, 400_000
"""Files that are remembered, and bytes of one that is read."""
_SOURCES = ("src", "lib")
"""Folders of a project that its packages may lie in."""


@attrs.define
class _File:
    asked: float
    stamp: tuple[int, int]
    program: Program | None


class ProjectModules:
    """Asks the disk: not for the event loop's thread. Never raises; a file that cannot be read is none."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._around: dict[str, tuple[float, ModulesOfAFile]] = {}

    def around(self, path: Path) -> ModulesOfAFile:
        """What a file imports."""
        place, now = str(path), time.monotonic()
        known = self._around.get(place)
        if known is None or now - known[0] > _HOLDS:
            if len(self._around) > _FILES:
                self._around.clear()
            known = self._around[place] = now, ModulesOfAFile(self, path)
        return known[1]

    def at(self, place: str) -> Program | None:
        """The file at a place, read again when it has changed."""
        known, now = self._files.get(place), time.monotonic()
        if known is None or now - known.asked > _HOLDS:
            stamp = _stamp(place)
            if known is None or known.stamp != stamp:
                known = _File(now, stamp, self._read(Path(place)) if any(stamp) else None)
            known.asked = now
            self._files[place] = known
            while len(self._files) > _FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(place)
        return known.program

    def _read(self, path: Path) -> Program | None:
        try:
            with open(path, "rb") as stream:
                data = stream.read(_BYTES + 1)
            text = decode_source(data).source.text if len(data) <= _BYTES else None
        except (OSError, SourceUnreadable):
            return None
        if text is None:
            return None
        return Program([piece for _, piece in cut_at(text, list(section_starts(text)))], self.around(path))


class ModulesOfAFile:
    """See ``interpreter.program.Modules``."""

    def __init__(self, project: ProjectModules, path: Path) -> None:
        self._project, self._path = project, path
        self._found: dict[tuple[str, int], str] = {}
        self.place = str(path)

    def imported(self, name: str, level: int) -> Program | None:
        """See ``Modules``."""
        key = name, level
        if key not in self._found:
            self._found[key] = self._place_of(name, level)
        return self.at(self._found[key])

    def submodule(self, name: str) -> Program | None:
        """See ``Modules``."""
        return self.imported(name, 1) if self._path.stem == "__init__" else None

    def at(self, place: str) -> Program | None:
        """See ``Modules``."""
        return self._project.at(place) if place else None

    def _place_of(self, name: str, level: int) -> str:
        """Where the file of a module lies; empty where the project has none."""
        folder = self._path.parent
        package = package_of(folder)
        if level:
            if level > len(package):
                return ""
            return _file_of(folder.parents[level - 2] if level > 1 else folder, name)
        root = root_of(self._path)
        if root is None:
            return ""
        # As Python looks for it: where the outermost package lies, or else beside the script.
        outside = folder.parents[len(package) - 1] if package else folder
        places = dict.fromkeys((outside, root, *(root / each for each in _SOURCES)))
        return next(filter(None, (_file_of(each, name) for each in places)), "")


def _file_of(folder: Path, name: str) -> str:
    """The file of a module in a folder, dotted; empty where there is none."""
    path = folder.joinpath(*name.split(".")) if name else folder
    files = [str(path / "__init__.py"), *([f"{path}.py"] if name else [])]
    return next(filter(os.path.isfile, files), "")


def _stamp(place: str) -> tuple[int, int]:
    try:
        info = os.stat(place)
    except OSError:
        return 0, 0
    return info.st_mtime_ns, info.st_size

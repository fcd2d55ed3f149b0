"""What the project around a file says of it."""

from __future__ import annotations

import os
from pathlib import Path

from codehunch.interpreter.around import Around
from codehunch.project_modules import ProjectModules
from codehunch.project_tests import ProjectTests


class Project:
    """Asks the disk: not for the event loop's thread. Never raises; a file that cannot be read has no say."""

    def __init__(self) -> None:
        self._tests, self._modules = ProjectTests(), ProjectModules()

    def around(self, path: str | os.PathLike[str]) -> Around:
        """What bears on the file at a path, as it lies on the disk."""
        place = Path(os.path.abspath(path))
        told = self._tests.told(place)
        return Around(told.asserted, self._modules.around(place), told.files)

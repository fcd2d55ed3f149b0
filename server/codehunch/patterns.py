"""Path patterns in the language of .gitignore, each list rooted at the folder it speaks about."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property

import attrs
from pathspec import GitIgnoreSpec


@attrs.frozen(slots=False)
class PathPatterns:
    """A list of patterns; later ones outrank earlier ones and ``!`` takes a path back."""

    patterns: tuple[str, ...] = ()
    root: str = os.sep
    """Absolute folder that anchored patterns start from."""

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        return _compile(self.patterns)

    def verdict(self, path: str, is_folder: bool = False) -> bool | None:
        """Whether the absolute ``path`` is matched; ``None`` where no pattern speaks about it.

        A path below a matched folder counts as matched. Paths outside ``root`` are nobody's business here.
        """
        if not self.patterns:
            return None
        relative = relative_to(path, self.root)
        if not relative:
            return None
        return self._spec.check_file(relative + "/" if is_folder else relative).include


def relative_to(path: str, root: str) -> str | None:
    """``path`` below ``root`` with forward slashes, ``""`` for the root itself, ``None`` for a path elsewhere.

    Both are absolute and normalised: no file system is asked.
    """
    if path == root:
        return ""
    prefix = root if root.endswith(os.sep) else root + os.sep
    if not path.startswith(prefix):
        return None
    below = path[len(prefix) :]
    return below if os.sep == "/" else below.replace(os.sep, "/")


def invalid_pattern(pattern: str) -> str | None:
    """Why a single pattern cannot be used, or ``None`` when it can."""
    if not pattern.strip():
        return "is empty"
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        return "is no valid pattern (the syntax is that of .gitignore)"
    return None


def read_ignore_file(path: str, root: str) -> PathPatterns | None:
    """The patterns of a .gitignore file about ``root``; ``None`` where there is no such file or nothing in it.

    A pattern that git itself would pass over is passed over; so is a file that cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
            lines = [line.rstrip("\r\n") for line in stream]
    except OSError:
        return None
    patterns = tuple(line for line in lines if line and not line.startswith("#"))
    return PathPatterns(patterns, root) if patterns else None


def _compile(patterns: Iterable[str]) -> GitIgnoreSpec:
    patterns = tuple(patterns)
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError:
        return GitIgnoreSpec.from_lines([pattern for pattern in patterns if invalid_pattern(pattern) is None])

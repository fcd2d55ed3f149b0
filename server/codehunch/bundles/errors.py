"""The one error of this room."""

from __future__ import annotations

from pathlib import Path


class BundleError(Exception):
    """A bundle cannot be used. Reads as one line: the file, what is wrong with it, what to do next."""

    def __init__(self, file: Path | str, problem: str, remedy: str) -> None:
        super().__init__(file, problem, remedy)
        self.file = file
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        # A path or a parser's message may hold line ends; the error never does.
        return " ".join(f"{self.file}: {self.problem}; {self.remedy}".splitlines())

"""How findings are written: one module per format, all of them streams that hold no findings back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import attrs

from codehunch.cli.options import Format
from codehunch.defects.findings import Finding
from codehunch.files import Skipped
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

if TYPE_CHECKING:
    from rich.console import Console


@attrs.frozen
class Checked:
    """One file that was read to its end."""

    path: str
    """Absolute, or ``-`` for stdin."""
    source: SourceText
    findings: tuple[Finding, ...]


class Report(Protocol):
    """A stream of results: ``begin``, then files in any number, then ``end``."""

    def begin(self) -> None: ...

    def checked(self, file: Checked) -> None: ...

    def skipped(self, file: Skipped) -> None: ...

    def end(self, problems: Sequence[str]) -> None:
        """``problems`` are the reasons why the run is not complete; empty where it is."""
        ...


Write = Callable[[str], object]


def open_report(format: Format, write: Write, terminal: Console | None = None) -> Report:
    """The writer of a format. Text goes to ``terminal`` in colours where there is one."""
    if format is Format.JSON:
        from codehunch.cli.formats.rows import JsonReport

        return JsonReport(write)
    if format is Format.SARIF:
        from codehunch.cli.formats.sarif import SarifReport

        return SarifReport(write, os.path.abspath(os.curdir))
    if format is Format.GITHUB:
        from codehunch.cli.formats.github import GithubReport

        return GithubReport(write)
    from codehunch.cli.formats.text import TextReport

    if terminal is None:
        return TextReport(lambda block: write(block.plain))
    return TextReport(lambda block: terminal.print(block, end=""), terminal.width)


@attrs.frozen
class Place:
    """A span as people count: rows and columns from 1, columns in code points, the end exclusive."""

    row: int
    column: int
    end_row: int
    end_column: int


def place_of(source: SourceText, span: Span) -> Place:
    """Rows and columns of a span."""
    row, column = source.position(span.start)
    end_row, end_column = source.position(span.end)
    return Place(row + 1, column + 1, end_row + 1, end_column + 1)

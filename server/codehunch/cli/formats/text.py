"""``--format text``: for people, like ruff's: the place, the line, a caret run under exactly the token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from codehunch.cli.console import printable, shown
from codehunch.cli.formats import Checked, Place, place_of
from codehunch.cli.options import STDIN
from codehunch.defects.findings import Finding
from codehunch.files import Skipped
from codehunch.syntax.text import SourceText

_TAB = 4
_WIDTH = 140
"""Cells of a source line that are shown at most; longer lines are cut around the token."""
_NARROWEST = 40


class TextReport:
    """One block per finding."""

    def __init__(self, show: Callable[[Text], object], width: int = _WIDTH) -> None:
        """``show`` prints a block; ``width`` is the terminal's, in cells."""
        self._show = show
        self._width = width

    def begin(self) -> None:
        """Nothing comes before the first block."""

    def checked(self, file: Checked) -> None:
        for finding in file.findings:
            self._show(finding_block(file.path, file.source, finding, self._width))

    def skipped(self, file: Skipped) -> None:
        """Skipped files are named on stderr."""

    def end(self, problems: Sequence[str]) -> None:
        """The summary is for stderr."""


def finding_block(path: str, source: SourceText, finding: Finding, width: int = _WIDTH) -> Text:
    """A finding as people read it, ending in an empty line.

    ``path:row:column: CODE message (confidence)``, the source line, carets under the span, the best fix.
    """
    place = place_of(source, finding.span)
    name = "<stdin>" if path == STDIN else shown(path)
    margin = " " * len(str(place.row))
    code, start, end = _excerpt(source, place, min(_WIDTH, max(_NARROWEST, width - len(margin) - 3)))
    block = Text.assemble(
        (name, "bold"),
        f":{place.row}:{place.column}: ",
        (finding.code, "bold red"),
        f" {printable(finding.message)} ",
        (f"(confidence {finding.confidence:.2f})", "dim"),
        (f"\n{margin} |\n{place.row} | ", "blue"),
        code,
        (f"\n{margin} | ", "blue"),
        " " * start,
        ("^" * max(1, end - start), "bold red"),
        "\n",
    )
    if finding.fixes:
        block.append(f"{margin} = ", "blue")
        block.append("help: ", "bold")
        block.append(f"{printable(finding.fixes[0].message)}\n")
    block.append("\n")
    return block


def _excerpt(source: SourceText, place: Place, room: int) -> tuple[str, int, int]:
    """The span's first line in ``room`` cells, and the cells where the span starts and ends."""
    line = source.line(place.row - 1)
    start = place.column - 1
    end = place.end_column - 1 if place.end_row == place.row else len(line)
    # A line may be a megabyte long: no more than what can be shown of it is looked at.
    first = max(0, start - room)
    before = _visible(line[first:start], 0)
    flagged = _visible(line[start : min(end, start + room)], _cells(before))
    after = _visible(line[end : end + room], _cells(before) + _cells(flagged))
    if first or _cells(before) + _cells(flagged) + _cells(after) > room:
        # The token keeps its place; what comes before it gives way first to half of the room.
        before = _cut_start(before, max(room // 2 - _cells(flagged), room // 4))
        flagged = _cut_end(flagged, room - _cells(before))
        after = _cut_end(after, room - _cells(before) - _cells(flagged))
    parts = ("".join(before), "".join(flagged), "".join(after))
    return "".join(parts).rstrip(), cell_len(parts[0]), cell_len(parts[0]) + cell_len(parts[1])


def _visible(text: str, column: int) -> list[str]:
    """What is shown for each code point: tabs as spaces, everything that could move the cursor as a picture."""
    shown_as: list[str] = []
    for char in text:
        if char == "\t":
            char = " " * (_TAB - column % _TAB)
        elif char < " " or char == "\x7f":
            char = chr(0x2421 if char == "\x7f" else 0x2400 + ord(char))
        elif not char.isprintable():
            char = "\N{REPLACEMENT CHARACTER}"
        column += cell_len(char)
        shown_as.append(char)
    return shown_as


def _cells(parts: Iterable[str]) -> int:
    return sum(cell_len(part) for part in parts)


def _cut_start(parts: list[str], room: int) -> list[str]:
    """The last ``room`` cells, an ellipsis in front where something was cut."""
    return list(reversed(_cut_end(list(reversed(parts)), room)))


def _cut_end(parts: list[str], room: int) -> list[str]:
    """The first ``room`` cells, an ellipsis behind them where something was cut."""
    if _cells(parts) <= room:
        return parts
    kept: list[str] = []
    used = 1
    for part in parts:
        used += cell_len(part)
        if used > room:
            break
        kept.append(part)
    return [*kept, "…"] if room else []

"""``--format json``: one array, a row per finding."""

from __future__ import annotations

import json
from collections.abc import Sequence

from codehunch.cli.formats import Checked, Write, place_of
from codehunch.defects.findings import Finding
from codehunch.files import Skipped
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText


class JsonReport:
    """Writes the array while files are checked; what was written stays valid JSON once ``end`` was called."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._rows = 0

    def begin(self) -> None:
        self._write("[")

    def checked(self, file: Checked) -> None:
        for finding in file.findings:
            row = json.dumps(json_row(file.path, file.source, finding))
            self._write(f"{',' if self._rows else ''}\n  {row}")
            self._rows += 1

    def skipped(self, file: Skipped) -> None:
        """Skipped files are named on stderr; the array holds findings only."""

    def end(self, problems: Sequence[str]) -> None:
        self._write("\n]\n" if self._rows else "]\n")


def json_row(path: str, source: SourceText, finding: Finding) -> dict[str, object]:
    """One finding as plain data: rows and columns from 1, columns in code points, ends exclusive."""
    return {
        "filename": path,
        "code": finding.code,
        "kind": finding.kind,
        "message": finding.message,
        **_locations(source, finding.span),
        "function": finding.function,
        "confidence": round(finding.confidence, 4),
        "fix": _fix(source, finding),
    }


def _fix(source: SourceText, finding: Finding) -> dict[str, object] | None:
    if not finding.fixes:
        return None
    best = finding.fixes[0]
    edits = [{"content": edit.content, **_locations(source, edit.span)} for edit in best.edits]
    return {"message": best.message, "edits": edits}


def _locations(source: SourceText, span: Span) -> dict[str, object]:
    place = place_of(source, span)
    return {
        "location": {"row": place.row, "column": place.column},
        "end_location": {"row": place.end_row, "column": place.end_column},
    }

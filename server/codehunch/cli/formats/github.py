"""``--format github``: workflow commands that GitHub Actions turns into annotations of a pull request.

The syntax is that of "Workflow commands for GitHub Actions", "Setting a warning message".
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from codehunch.cli.console import shown
from codehunch.cli.formats import Checked, Write, place_of
from codehunch.files import Skipped
from codehunch.patterns import relative_to


class GithubReport:
    """One line per finding."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def begin(self) -> None:
        """Nothing comes before the first line."""

    def checked(self, file: Checked) -> None:
        for finding in file.findings:
            place = place_of(file.source, finding.span)
            properties = {
                "title": f"CodeHunch ({finding.code})",
                "file": _path_in_workspace(file.path),
                "line": place.row,
                "col": place.column,
                "endLine": place.end_row,
            }
            # GitHub reads an end column as one of the first line, so it only helps within one line.
            if place.row == place.end_row:
                properties["endColumn"] = place.end_column
            fields = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
            text = f"{shown(file.path)}:{place.row}:{place.column}: {finding.code} {finding.message}"
            self._write(f"::warning {fields}::{_data(f'{text} (confidence {finding.confidence:.2f})')}\n")

    def skipped(self, file: Skipped) -> None:
        """Skipped files are named on stderr, which the workflow's log shows."""

    def end(self, problems: Sequence[str]) -> None:
        """Nothing comes after the last line."""


def _path_in_workspace(path: str) -> str:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    return (relative_to(path, os.path.abspath(workspace)) if workspace else None) or path


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

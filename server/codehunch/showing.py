"""Which findings a person wants to see: not what was dismissed, is in the baseline, or lies in untouched functions.

The command line and the editor both ask here, so they leave out the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from codehunch.baseline import Baseline, read_baseline
from codehunch.changes import Revision
from codehunch.defects.findings import Finding
from codehunch.defects.imports import imports_of, with_imports
from codehunch.feedback import Dismissals
from codehunch.project_imports import ProjectImports
from codehunch.settings import Settings
from codehunch.syntax.text import SourceText


@attrs.frozen
class Shown:
    """The findings of one text, and how many were left out for which reason."""

    findings: tuple[Finding, ...]
    dismissed: int = 0
    known: int = 0
    """In the baseline."""
    untouched: int = 0
    """In functions that are as they were at the revision."""


class Screen:
    """What a session knows about wishes. Asks the disk and git, so not for the event loop's thread."""

    def __init__(self, dismissals: Dismissals | None) -> None:
        """Without ``dismissals`` nothing counts as dismissed."""
        self._dismissals = dismissals
        self._baselines: dict[str, tuple[tuple[int, int] | None, Baseline]] = {}
        self._revisions: dict[str, Revision] = {}
        self._imports = ProjectImports()

    def revision(self, name: str) -> Revision:
        """The revision of that name; made once, for it remembers what it has read."""
        return self._revisions.setdefault(name, Revision(name))

    def show(
        self, findings: tuple[Finding, ...], path: str, source: SourceText, language: str, settings: Settings
    ) -> Shown:
        """What is left of the findings of one text, with the imports that may be missing as fixes. ``path`` is
        absolute, or a URI of something that is no file.

        Raises BaselineUnreadable and RevisionUnknown.
        """
        everything = len(findings)
        if findings and self._dismissals is not None:
            self._dismissals.refresh()
            findings = tuple(each for each in findings if not self._dismissals.hides(each, path))
        wanted = len(findings)
        if findings and settings.baseline is not None:
            baseline = self.baseline(settings.baseline)
            findings = tuple(each for each in findings if not baseline.hides(each, path))
        new = len(findings)
        if findings and settings.changed_since is not None and "://" not in path:
            findings = self.revision(settings.changed_since).touched(findings, path, source, language)
        hidden = everything - wanted, wanted - new, new - len(findings)
        if language == "python" and any(each.import_margin for each in findings):
            find = self._imports.finder(Path(path)) if os.path.isabs(path) else imports_of
            findings = with_imports(findings, source.text, find)
        return Shown(findings, *hidden)

    def baseline(self, path: str) -> Baseline:
        """A baseline file, read again when it has changed."""
        try:
            info = Path(path).stat()
            stamp = info.st_mtime_ns, info.st_size
        except OSError:
            stamp = None
        known = self._baselines.get(path)
        if known is None or known[0] != stamp:
            known = self._baselines[path] = stamp, read_baseline(Path(path))
        return known[1]

"""Findings a project has decided to live with: a file of fingerprints, made by ``codehunch check --write-baseline``.

One JSON object: files by their path seen from the baseline's folder, each with its findings. Only fingerprints are
compared; code, function, line and text are there for the people who read a diff of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from codehunch.defects.findings import Finding
from codehunch.feedback import write_atomically
from codehunch.syntax.text import SourceText

DEFAULT_NAME = ".codehunch-baseline.json"
VERSION = 1


class BaselineUnreadable(ValueError):
    """The file is no baseline. The message names it and says what to do."""


@attrs.frozen
class Known:
    """One finding of a baseline."""

    fingerprint: str
    code: str
    function: str
    line: int
    """Counted from 1, at the time the baseline was written."""
    text: str
    """The flagged token."""


@attrs.frozen
class Baseline:
    """What is known, by absolute path."""

    files: Mapping[str, tuple[Known, ...]] = attrs.field(factory=dict)
    _moved: frozenset[str] = frozenset()
    """Fingerprints of files that are no longer there."""

    def hides(self, finding: Finding, path: str) -> bool:
        """Whether a finding of the file at ``path`` was there when the baseline was written.

        What was known of a file that is gone counts everywhere: it was moved.
        """
        known = self.files.get(os.path.realpath(path), ())
        return finding.fingerprint in self._moved or any(each.fingerprint == finding.fingerprint for each in known)


def known(findings: Iterable[Finding], source: SourceText) -> tuple[Known, ...]:
    """What a baseline remembers of the findings of one file."""
    return tuple(
        Known(
            each.fingerprint,
            each.code,
            each.function,
            source.row_of(each.span.start) + 1,
            each.span.of(source.text)[:80],
        )
        for each in findings
    )


def read_baseline(path: Path) -> Baseline:
    """The baseline at ``path``; an empty one where there is no file. Raises BaselineUnreadable."""
    try:
        data = json.loads(path.read_bytes())
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("no baseline of this version")
        folder = os.path.dirname(os.path.realpath(path))
        files = {
            os.path.realpath(os.path.join(folder, name)): tuple(Known(**row) for row in rows)
            for name, rows in data["files"].items()
        }
    except FileNotFoundError:
        return Baseline()
    except OSError as error:
        raise BaselineUnreadable(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BaselineUnreadable(
            f"{path}: not a baseline ({error}); write it anew with `codehunch check --write-baseline`"
        ) from error
    moved = {each.fingerprint for name, rows in files.items() if not os.path.lexists(name) for each in rows}
    return Baseline(files, frozenset(moved))


def write_baseline(path: Path, read: Mapping[str, tuple[Known, ...]], before: Baseline) -> int:
    """Write what was found in the files that were read; what ``before`` knows of other files that exist stays.

    Atomic, and the same for the same findings. Returns how many findings it holds. Raises OSError.
    """
    merged = {name: rows for name, rows in before.files.items() if os.path.lexists(name)}
    merged.update({os.path.realpath(name): rows for name, rows in read.items()})
    folder = os.path.dirname(os.path.realpath(path))
    files = {
        os.path.relpath(name, folder).replace(os.sep, "/"): [attrs.asdict(each) for each in rows]
        for name, rows in merged.items()
        if rows
    }
    text = json.dumps({"version": VERSION, "files": dict(sorted(files.items()))}, indent=1, ensure_ascii=True)
    write_atomically(path, text.encode("ascii") + b"\n")
    return sum(map(len, files.values()))

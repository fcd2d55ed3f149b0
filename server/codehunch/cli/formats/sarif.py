"""``--format sarif``: a SARIF 2.1.0 log (OASIS standard), for code scanning services and viewers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from codehunch import __version__
from codehunch.cli.console import printable
from codehunch.cli.formats import Checked, Write, place_of
from codehunch.cli.options import STDIN
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.kinds import KINDS, Kind
from codehunch.files import Skipped
from codehunch.patterns import relative_to
from codehunch.rules_pages import rule_page
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "SRCROOT"
_INDEX = {kind.code: index for index, kind in enumerate(KINDS)}


class SarifReport:
    """Writes one run. Results go out while files are checked, the invocation with its notifications comes last."""

    def __init__(self, write: Write, root: str) -> None:
        """Paths below the absolute folder ``root`` are written relative to it."""
        self._write = write
        self._root = root
        self._results = 0
        self._notifications: list[dict[str, object]] = []

    def begin(self) -> None:
        head = {
            "tool": {"driver": _driver()},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {_ROOT: {"uri": Path(self._root).as_uri().rstrip("/") + "/"}},
        }
        opening = f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [\n'
        self._write(f'{opening}{json.dumps(head)[:-1]}, "results": [')

    def checked(self, file: Checked) -> None:
        for finding in file.findings:
            self._write(f"{',' if self._results else ''}\n{json.dumps(self._result(file, finding))}")
            self._results += 1

    def skipped(self, file: Skipped) -> None:
        location = {"physicalLocation": {"artifactLocation": self._artifact(file.path)}}
        message = {"text": f"skipped: {printable(file.reason)}"}
        self._notifications.append({"level": "warning", "message": message, "locations": [location]})

    def end(self, problems: Sequence[str]) -> None:
        errors = [{"level": "error", "message": {"text": printable(problem)}} for problem in problems]
        invocation = {
            "executionSuccessful": not problems,
            "toolExecutionNotifications": [*self._notifications, *errors],
        }
        self._write(f'\n], "invocations": [{json.dumps(invocation)}]}}\n]}}\n')

    def _result(self, file: Checked, finding: Finding) -> dict[str, object]:
        location: dict[str, object] = {
            "physicalLocation": {
                "artifactLocation": self._artifact(file.path),
                "region": _region(file.source, finding.span),
            }
        }
        if finding.function:
            location["logicalLocations"] = [{"fullyQualifiedName": finding.function, "kind": "function"}]
        result: dict[str, object] = {
            "ruleId": finding.code,
            "ruleIndex": _INDEX[finding.code],
            "level": "warning",
            "message": {"text": finding.message},
            "locations": [location],
            "rank": round(100 * finding.confidence, 2),
            "properties": {"confidence": round(finding.confidence, 4)},
        }
        if finding.evidence:
            result["relatedLocations"] = [
                {
                    "id": number,
                    "physicalLocation": {
                        "artifactLocation": self._artifact(file.path),
                        "region": _region(file.source, span),
                    },
                }
                for number, span in enumerate(finding.evidence, start=1)
            ]
        if finding.fixes:
            result["fixes"] = [self._fix(file, fix) for fix in finding.fixes]
        return result

    def _fix(self, file: Checked, fix: Fix) -> dict[str, object]:
        replacements = [
            {"deletedRegion": _region(file.source, edit.span), "insertedContent": {"text": edit.content}}
            for edit in fix.edits
        ]
        change = {"artifactLocation": self._artifact(file.path), "replacements": replacements}
        return {"description": {"text": fix.message}, "artifactChanges": [change]}

    def _artifact(self, path: str) -> dict[str, str]:
        below = relative_to(path, self._root)
        if below:
            return {"uri": _uri_path(below), "uriBaseId": _ROOT}
        return {"uri": "stdin:" if path == STDIN else f"file://{_uri_path(path)}"}


def _uri_path(path: str) -> str:
    """A path as part of a URI, byte for byte: names need not be UTF-8."""
    return quote(os.fsencode(path))


def _region(source: SourceText, span: Span) -> dict[str, int]:
    """Lines and columns from 1; SARIF's end column is the one after the last character."""
    place = place_of(source, span)
    return {
        "startLine": place.row,
        "startColumn": place.column,
        "endLine": place.end_row,
        "endColumn": place.end_column,
    }


def _driver() -> dict[str, object]:
    return {
        "name": "CodeHunch",
        "semanticVersion": __version__,
        "rules": [_rule(kind) for kind in KINDS],
    }


def _rule(kind: Kind) -> dict[str, object]:
    page = rule_page(kind.code).read_text(encoding="utf-8")
    return {
        "id": kind.code,
        "name": "".join(word.capitalize() for word in kind.name.split("-")),
        "shortDescription": {"text": f"{kind.title[0].upper()}{kind.title[1:]}."},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["correctness", kind.name]},
    }

"""The findings of a scan as one Markdown page in the user's cache folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from lsprotocol import types

from codehunch.feedback import write_atomically
from codehunch.lsp.places import cache_folder
from codehunch.lsp.scanning import Scanned
from codehunch.lsp.snapshots import path_of


def write_report(roots: Sequence[Path], scanned: Iterable[Scanned], stopped: bool) -> Path:
    """Write the page, one per set of folders, and give back its path. Raises OSError."""
    key = hashlib.sha256("\0".join(map(str, roots)).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    path = cache_folder() / f"report-{key}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page(roots, list(scanned), stopped).encode("utf-8", "backslashreplace"), 0o600)
    return path


def page(roots: Sequence[Path], scanned: Sequence[Scanned], stopped: bool) -> str:
    """The page: a table of codes, then the findings of each file in the order of the scan."""
    flagged = [each for each in scanned if each.diagnostics]
    codes = Counter(str(diagnostic.code) for each in flagged for diagnostic in each.diagnostics)
    folders = ", ".join(f"`{root}`" for root in roots) or "no folder"
    lines = [
        "# CodeHunch: what a scan found",
        "",
        f"{sum(codes.values())} findings in {len(flagged)} of {len(scanned)} files of {folders}, "
        f"{datetime.now():%Y-%m-%d %H:%M}{'; the scan was stopped' if stopped else ''}.",
    ]
    if codes:
        lines += ["", "| code | findings |", "|---|---:|", *(f"| {code} | {n} |" for code, n in sorted(codes.items()))]
    for each in flagged:
        path = path_of(each.uri)
        lines += ["", f"## [{_shown(path, roots)}]({each.uri})", ""]
        lines += [_row(diagnostic) for diagnostic in each.diagnostics]
    return "\n".join(lines) + "\n"


def _row(diagnostic: types.Diagnostic) -> str:
    confidence = diagnostic.data.get("confidence") if isinstance(diagnostic.data, dict) else None
    sure = f" ({confidence:.0%})" if isinstance(confidence, float) else ""
    message = " ".join(diagnostic.message.split())
    return f"- line {diagnostic.range.start.line + 1}: {diagnostic.code} {message}{sure}"


def _shown(path: Path | None, roots: Sequence[Path]) -> str:
    for root in roots:
        if path is not None and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return str(path or "?")

"""What the models say about the repositories as they stand: alarms per 1,000 lines, and the strongest findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from codehunch.bundles.bundle import Bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.functions import sources, units_of_revision
from codehunch_training.corpus.work import Notes
from codehunch_training.retraining.timeline import Timeline

SHOWN = 25


def tree_findings(
    lines: Sequence[Timeline], bundles: dict[str, Bundle], seconds: float, threads: int, stop: Callable[[], None]
) -> dict[str, Any]:
    """Findings of each bundle at all three sensitivities over the newest trees, within ``seconds`` in all.

    The bundles take turns file by file, so that both have read the same when the time is over.
    """
    detectors = {name: Detector(bundle, threads) for name, bundle in bundles.items()}
    counts = {name: {"low": 0, "medium": 0, "high": 0} for name in bundles}
    strongest: dict[str, list[dict[str, Any]]] = {name: [] for name in bundles}
    read = files = total = 0
    started = time.monotonic()
    for line in lines:
        for path, text in _texts(line):
            total += 1
            stop()
            if time.monotonic() - started > seconds:
                continue
            files += 1
            source = SourceText(text)
            read += text.count("\n")
            for name, detector in detectors.items():
                spec = bundles[name].manifest.defects
                assert spec is not None
                for finding in detector.check(source, options=CheckOptions("high")):
                    for level, least in spec.thresholds.items():
                        counts[name][level] += finding.confidence >= least
                    row = source.row_of(finding.span.start)
                    strongest[name].append(
                        {
                            "project": line.now.project,
                            "path": path,
                            "line": row + 1,
                            "code": finding.code,
                            "message": finding.message,
                            "confidence": round(finding.confidence, 4),
                            "source": source.line(row).strip()[:160],
                        }
                    )
    for found in strongest.values():
        found.sort(key=lambda each: -each["confidence"])
    return {
        "files": files,
        "of": total,
        "lines": read,
        "per_kloc": {n: {k: round(1000 * v / max(1, read), 2) for k, v in c.items()} for n, c in counts.items()},
        "strongest": {name: found[:SHOWN] for name, found in strongest.items()},
    }


def _texts(line: Timeline) -> Any:
    units, _ = units_of_revision(line.now, line.licence)
    for unit in units:
        yield from sources(unit.payload, {}, Notes())

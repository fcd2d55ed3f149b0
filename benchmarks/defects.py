"""The defect model on real bugs: mined fixes of projects it was not trained on, each function judged alone.

    python benchmarks/defects.py ROWS.jsonl.gz --project redis-py --project alembic

``ROWS`` is what ``codehunch corpus histories`` writes. Per sensitivity: the share of bugs with a warning on the
wrong token and line, and whose first fix gives the fixed twin; how often the fixed twin still warns; warnings per
1,000 lines of untouched neighbours. Then by kind at the chosen sensitivity, and the AUC of a function's most
suspicious token against its fixed twin and against its untouched neighbours.
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Annotated

import attrs
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Finding
from codehunch.defects.rewrites import apply
from codehunch.defects.units import Unit
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.rows import DefectRow
from codehunch_training.evaluation.defects import auc
from codehunch_training.tasks.defect_data import read_rows

LEVELS = ("low", "medium", "high")


@attrs.frozen
class Case:
    """A mined bug with its twin and neighbours."""

    buggy: DefectRow
    fixed: DefectRow
    untouched: tuple[DefectRow, ...]


def cases(rows: Path, projects: set[str], visible_only: bool) -> list[Case]:
    """The groups of the chosen projects (by the last part of their name; none chooses all)."""
    groups: dict[str, list[DefectRow]] = collections.defaultdict(list)
    for row in read_rows(rows):
        if not projects or row.project.rpartition("/")[2] in projects:
            groups[row.group].append(row)
    found = []
    for members in groups.values():
        roles = {role: [row for row in members if row.role == role] for role in ("buggy", "fixed", "untouched")}
        if roles["buggy"] and roles["fixed"] and not (visible_only and roles["buggy"][0].evidence != "function"):
            found.append(Case(roles["buggy"][0], roles["fixed"][0], tuple(roles["untouched"])))
    return found


@attrs.define
class Count:
    bugs: int = 0
    token: int = 0
    line: int = 0
    fixed: int = 0
    any: int = 0
    twin: int = 0


def judge(case: Case, found: tuple[Finding, ...], twin: tuple[Finding, ...], count: Count) -> None:
    """Add one case: where its warnings stand, whether the first fix is the real one."""
    text, source = case.buggy.text, SourceText(case.buggy.text)
    wrong = {row for start, end in case.buggy.spans for row in range(source.row_of(start), source.row_of(end) + 1)}
    count.bugs += 1
    count.any += bool(found)
    count.twin += bool(twin)
    count.line += any(source.row_of(finding.span.start) in wrong for finding in found)
    count.token += any(finding.span.start == start for finding in found for start, _ in case.buggy.spans)
    wanted = case.fixed.text.split()
    count.fixed += any(f.fixes and apply(text, f.fixes[0].edits).split() == wanted for f in found)


def main(
    rows: Annotated[Path, typer.Argument(help="Mined histories.")],
    project: Annotated[list[str] | None, typer.Option(help="Only these projects; repeat.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    visible: Annotated[bool, typer.Option(help="Only bugs that can be seen from the function.")] = True,
    by_kind: Annotated[str, typer.Option(help="Sensitivity of the table by kind.")] = "medium",
    limit: Annotated[int, typer.Option(help="Cases at most; 0 for all.")] = 0,
) -> None:
    """Print the tables."""
    console = Console(width=110)
    chosen = cases(rows, set(project or ()), visible)[: limit or None]
    detector = Detector(load_bundle(bundle) if bundle else active_bundle("defects"))
    table = Table("sensitivity", title=f"{len(chosen)} mined bugs")
    for name in ("token", "line", "first fix", "any warning", "twin warns", "alarms / 1,000 clean lines"):
        table.add_column(name, justify="right")
    kinds: dict[str, Count] = collections.defaultdict(Count)
    for level in LEVELS:
        options, total, alarms, lines = CheckOptions(level), Count(), 0, 0
        for case in chosen:
            found = detector.check(SourceText(case.buggy.text), options=options)
            twin = detector.check(SourceText(case.fixed.text), options=options)
            judge(case, found, twin, total)
            if level == by_kind:
                judge(case, found, twin, kinds[case.buggy.label])
            for row in case.untouched:
                alarms += len(detector.check(SourceText(row.text), options=options))
                lines += row.text.count("\n")
        n = max(1, total.bugs)
        shares = (total.token / n, total.line / n, total.fixed / n, total.any / n, total.twin / n)
        table.add_row(level, *(f"{share:.1%}" for share in shares), f"{1000 * alarms / max(1, lines):.2f}")
    console.print(table)
    table = Table("kind", title=f"by kind, {by_kind}")
    for name in ("bugs", "token", "line", "first fix", "twin warns"):
        table.add_column(name, justify="right")
    for kind, count in sorted(kinds.items(), key=lambda item: -item[1].bugs):
        table.add_row(kind, *map(str, (count.bugs, count.token, count.line, count.fixed, count.twin)))
    console.print(table)
    peaks = [
        np.array([peak(detector, row.text) for row in each])
        for each in (
            [case.buggy for case in chosen],
            [case.fixed for case in chosen],
            [row for case in chosen for row in case.untouched],
        )
    ]
    console.print(
        f"AUC against the fixed twin {auc(peaks[0], peaks[1]):.3f}, against neighbours {auc(peaks[0], peaks[2]):.3f}"
    )


def peak(detector: Detector, text: str) -> float:
    """The highest suspicion of any token of a function."""
    lexemes = Unit(text, 0).lexemes
    return float(detector.classifier.read([lexemes])[0].suspicion.max(initial=0.0))


if __name__ == "__main__":
    typer.run(main)

"""The defect model on real bugs: mined fixes of projects it was not trained on, each function as it stood in its file.

    python benchmarks/defects.py ROWS.jsonl.gz --project redis-py --project alembic

Each of ``ROWS`` is what ``codehunch corpus histories`` writes. Per sensitivity: the share of bugs with a warning on the
wrong token and line, and whose first fix gives the fixed twin; how often the fixed twin still warns; warnings per 1,000
lines of untouched neighbours; and what share of warnings would be on the wrong token where one function in fifty has a
bug. Then by kind at the chosen sensitivity, with how often a warning that names the kind stands on such a bug, and how
often in clean code. Then the AUC of a function's most suspicious token against its fixed twin and its untouched
neighbours, and localisation as of variable misuse (Hellendoorn et al. 2020, GREAT, section 4): the most suspicious
token is the wrong one (``located``), and its first fix is the real one (``joint``), where so many of the fixed twins
may be flagged. In brackets: 95 % intervals, projects drawn with replacement.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import Detector
from codehunch.defects.findings import Finding
from codehunch.defects.inspection import inspect, mending_trials
from codehunch.defects.rewrites import apply
from codehunch.defects.verification import can_be_wrong, read_units
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.around import unit_of
from codehunch_training.corpus.rows import DefectRow
from codehunch_training.evaluation.binary import interval_by
from codehunch_training.evaluation.defects import auc
from codehunch_training.export.calibration import PRIOR
from codehunch_training.tasks.defect_data import read_rows

LEVELS = ("low", "medium", "high")
FALSE_ALARM_RATES = (0.05, 0.1, 0.2)
"""Shares of the fixed twins that may be flagged; there are too few for one in a hundred."""

Rows = NDArray[np.int64]


@attrs.frozen
class Case:
    """A mined bug with its twin and neighbours."""

    buggy: DefectRow
    fixed: DefectRow
    untouched: tuple[DefectRow, ...]


@attrs.frozen(eq=False)
class Seen:
    """What the detector said of a case, at every sensitivity."""

    buggy: tuple[Finding, ...]
    twin: tuple[Finding, ...]
    untouched: tuple[Finding, ...]
    lines: int
    """Of the untouched neighbours."""
    peaks: tuple[float, float]
    """Suspicion of the most suspicious token of the buggy function and of the twin."""
    neighbours: tuple[float, ...]
    located: bool
    """Whether the most suspicious token is a wrong one."""
    joint: bool
    """And its first fix gives the twin."""


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


def see(detector: Detector, candidate: float, case: Case) -> Seen:
    """Read a case: findings at the loosest sensitivity hold those of the others."""

    def check(row: DefectRow) -> tuple[Finding, ...]:
        return detector.check_units([unit_of(row)])[0]

    peak, at = worst(detector, case.buggy)
    located = at in {start for start, _ in case.buggy.spans}
    return Seen(
        check(case.buggy),
        check(case.fixed),
        tuple(finding for row in case.untouched for finding in check(row)),
        sum(row.text.count("\n") for row in case.untouched),
        (peak, worst(detector, case.fixed)[0]),
        tuple(worst(detector, row)[0] for row in case.untouched),
        located,
        located and mended(detector, candidate, case, at),
    )


def worst(detector: Detector, row: DefectRow) -> tuple[float, int]:
    """The highest suspicion of any token of a function, and where it stands."""
    unit = unit_of(row)
    lexemes, suspicion = unit.lexemes, read_units([unit], detector.classifier)[0].suspicion
    scores = np.where([can_be_wrong(lexeme) for lexeme in lexemes], suspicion, -1.0)
    if not len(scores) or scores.max() < 0:
        return 0.0, -1
    return float(scores.max()), lexemes[int(scores.argmax())].span.start


def mended(detector: Detector, candidate: float, case: Case, at: int) -> bool:
    """Whether the first fix that is tried and offered at an offset gives the fixed twin."""
    for item in inspect([unit_of(case.buggy)], detector.classifier, candidate):
        if item.place.unit.lexemes[item.place.at].span.start == at:
            best = mending_trials(item, candidate)
            return bool(best) and apply(case.buggy.text, best[0].rewrite.edits).split() == case.fixed.text.split()
    return False


def on_token(case: Case, finding: Finding) -> bool:
    return any(finding.span.start == start for start, _ in case.buggy.spans)


def judge(case: Case, seen: Seen, least: float) -> dict[str, float]:
    """One case at one threshold: where its warnings stand, whether a first fix is the real one."""
    text, source = case.buggy.text, SourceText(case.buggy.text)
    wrong = {row for start, end in case.buggy.spans for row in range(source.row_of(start), source.row_of(end) + 1)}
    found = [finding for finding in seen.buggy if finding.confidence >= least]
    wanted = case.fixed.text.split()
    return {
        "token": any(on_token(case, finding) for finding in found),
        "line": any(source.row_of(finding.span.start) in wrong for finding in found),
        "first fix": any(f.fixes and apply(text, f.fixes[0].edits).split() == wanted for f in found),
        "any warning": bool(found),
        "twin warns": any(finding.confidence >= least for finding in seen.twin),
        "alarms": sum(finding.confidence >= least for finding in seen.untouched),
    }


def main(
    rows: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Mined histories.")],
    project: Annotated[list[str] | None, typer.Option(help="Only these projects; repeat.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    visible: Annotated[bool, typer.Option(help="Only bugs that can be seen from the function.")] = True,
    by_kind: Annotated[str, typer.Option(help="Sensitivity of the table by kind.")] = "medium",
    limit: Annotated[int, typer.Option(help="Cases at most; 0 for all.")] = 0,
    listed: Annotated[bool, typer.Option("--listed", help="Show every warning on twins and neighbours too.")] = False,
) -> None:
    """Print the tables."""
    console = Console(width=150)
    chosen = [case for path in rows for case in cases(path, set(project or ()), visible)][: limit or None]
    opened = load_bundle(bundle) if bundle else active_bundle("defects")
    spec = opened.manifest.defects
    if not chosen or spec is None:
        raise typer.BadParameter("no mined bug of these projects" if spec is not None else "not a defect bundle")
    detector = Detector(opened)
    seen = [see(detector, spec.candidate, case) for case in track(chosen, "reading", console=Console(stderr=True))]
    console.print(levels(chosen, seen, spec.thresholds))
    console.print(kinds(chosen, seen, spec.thresholds[by_kind], by_kind))
    console.print(aucs(chosen, seen))
    console.print(localisation(chosen, seen))
    if listed:
        console.print(on_clean_code(chosen, detector, spec.thresholds))


def on_clean_code(chosen: list[Case], detector: Detector, thresholds: dict[str, float]) -> Table:
    """Warnings where no fix was made, for eyes to judge: history calls clean what nobody has mended yet."""
    table = Table("from", "in", "project", "function", "warning", "line")
    rows = [
        (role, row)
        for case in chosen
        for role, row in (("twin", case.fixed), *(("neighbour", r) for r in case.untouched))
    ]
    for role, row in rows:
        for finding in detector.check_units([unit_of(row)])[0]:
            level = next((name for name in LEVELS if finding.confidence >= thresholds[name]), None)
            if level is not None:
                line = row.text.split("\n")[SourceText(row.text).row_of(finding.span.start)].strip()
                table.add_row(level, role, row.project, row.name, finding.message, line)
    return table


def with_interval(chosen: list[Case], measure: Callable[[Rows], float], form: str = "{:.1%}") -> str:
    """A number over all cases, and its interval."""
    low, high = interval_by([case.buggy.project for case in chosen], measure)
    value = measure(np.arange(len(chosen)))
    shown = form.format(value) if value == value else "no warning"
    return f"{shown} ({form.format(low)} to {form.format(high)})" if low == low else shown


def levels(chosen: list[Case], seen: list[Seen], thresholds: dict[str, float]) -> Table:
    projects = {case.buggy.project for case in chosen}
    table = Table("sensitivity", title=f"{len(chosen)} mined bugs of {len(projects)} projects")
    heads = ("token", "line", "first fix", "any warning", "twin warns")
    for name in (*heads, "alarms / 1,000 clean lines", "right, 1 in 50"):
        table.add_column(name, justify="right")
    lines, neighbours = (
        np.array(values) for values in ([s.lines for s in seen], [len(case.untouched) for case in chosen])
    )
    for level in LEVELS:
        judged = [judge(case, each, thresholds[level]) for case, each in zip(chosen, seen, strict=True)]
        values = {name: np.array([float(each[name]) for each in judged]) for name in judged[0]}

        def alarms(at: Rows, count: NDArray[np.float64] = values["alarms"]) -> float:
            return 1000 * float(count[at].sum()) / max(1, int(lines[at].sum()))

        def right(at: Rows, values: dict[str, Any] = values) -> float:
            true = PRIOR * float(values["token"][at].mean())
            false = (1 - PRIOR) * float(values["alarms"][at].sum()) / max(1, int(neighbours[at].sum()))
            return true / (true + false) if true + false else float("nan")

        shares = [with_interval(chosen, lambda at, each=values[name]: float(each[at].mean())) for name in heads]
        table.add_row(level, *shares, with_interval(chosen, alarms, "{:.2f}"), with_interval(chosen, right, "{:.0%}"))
    return table


def kinds(chosen: list[Case], seen: list[Seen], least: float, level: str) -> Table:
    table = Table("kind", title=f"by kind, {level}")
    for name in ("bugs", "token", "line", "first fix", "twin warns", "named rightly", "named in clean code"):
        table.add_column(name, justify="right")
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for case, each in zip(chosen, seen, strict=True):
        count = counts[case.buggy.label]
        count["bugs"] += 1
        for name, value in judge(case, each, least).items():
            count[name] += int(value)
        for finding in each.buggy:
            if finding.confidence >= least and on_token(case, finding):
                counts[finding.kind]["named rightly"] += 1
        for finding in (*each.twin, *each.untouched):
            if finding.confidence >= least:
                counts[finding.kind]["named in clean code"] += 1
    for kind, count in sorted(counts.items(), key=lambda item: -item[1]["bugs"]):
        table.add_row(kind, *(str(count[str(column.header)]) for column in table.columns[1:]))
    return table


def aucs(chosen: list[Case], seen: list[Seen]) -> str:
    peaks = np.array([each.peaks for each in seen])

    def twins(at: Rows) -> float:
        return auc(peaks[at, 0], peaks[at, 1])

    def neighbours(at: Rows) -> float:
        return auc(peaks[at, 0], np.array([peak for i in at for peak in seen[i].neighbours]))

    form = "{:.3f}"
    return (
        f"AUC against the fixed twin {with_interval(chosen, twins, form)}, "
        f"against neighbours of the same file {with_interval(chosen, neighbours, form)}"
    )


def localisation(chosen: list[Case], seen: list[Seen]) -> Table:
    table = Table("bugs", title="localisation and repair")
    table.add_column("located", justify="right")
    table.add_column("joint", justify="right")
    for rate in FALSE_ALARM_RATES:
        table.add_column(f"located, {rate:.0%} of twins flagged", justify="right")
        table.add_column("joint", justify="right")
    for name in ("variable-misuse", "every kind"):
        part = [i for i, case in enumerate(chosen) if name == "every kind" or case.buggy.label == name]
        if not part:
            continue
        few = [chosen[i] for i in part]
        peaks = np.array([seen[i].peaks for i in part])
        hits = [np.array([getattr(seen[i], what) for i in part]) for what in ("located", "joint")]
        cells = [with_interval(few, lambda at, each=each: float(each[at].mean())) for each in hits]
        for rate in FALSE_ALARM_RATES:
            flagged = peaks[:, 0] > np.quantile(peaks[:, 1], 1 - rate, method="higher")
            cells += [f"{(flagged & each).mean():.1%}" for each in hits]
        table.add_row(f"{len(part)} {name}", *cells)
    return table


if __name__ == "__main__":
    typer.run(main)

"""Are the fixes right that are offered as verified? HumanEvalPack by its tests, ConDefects by the accepted program.

    python benchmarks/fixes.py humanevalpack_python.jsonl.gz               tests run in the sandbox
    python benchmarks/fixes.py humanevalpack_python.jsonl.gz --described   docstrings, and their examples, included
    python benchmarks/fixes.py condefects/valid.jsonl.gz                   compared with what was accepted

Every faulty function is read as an editor would read it, without its docstring unless that is asked for: then what the
examples in it say counts too. Per sensitivity: programs with a warning on a line that is wrong; programs with a fix
(the first fix of the surest finding); whether that fix is right, or wrong though it was offered; and the share of the
*right* programs that warn. Defects outside of functions are left out and counted: the detector learned from functions.
"""

from __future__ import annotations

import difflib
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.rewrites import apply
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.text import SourceText
from codehunch_training.evaluation.sandbox import Limits, program_of, run_program

LEVELS = ("low", "medium", "high")


@attrs.frozen(eq=False)
class Program:
    name: str
    faulty: str
    right: str
    solves: Callable[[str], bool]


@attrs.define
class Count:
    line: int = 0
    offered: int = 0
    mended: int = 0
    warns: int = 0
    """Right programs with a warning."""


def programs(path: Path, described: bool) -> Iterator[Program]:
    """Rows of either layout; Python only. ``described`` keeps docstrings where rows have them."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        for row in map(json.loads, stream):
            if "buggy_solution" in row:
                head = str(row["prompt" if described else "declaration"])
                right = head + row["canonical_solution"]
                yield Program(row["task_id"], head + row["buggy_solution"], right, _tests(row))
            elif row.get("lang", "python") == "python":
                yield Program(row["id"], row["buggy"], row["fixed"], _accepted(row["fixed"]))


def _tests(row: dict[str, Any]) -> Callable[[str], bool]:
    return lambda text: run_program(program_of(row, text), Limits(seconds=20)).passed


def _accepted(fixed: str) -> Callable[[str], bool]:
    return lambda text: text.split() == fixed.split()


def wrong_rows(program: Program) -> set[int]:
    """Rows of the faulty text that the right one changes; where it only adds, the row before."""
    before, after = program.faulty.split("\n"), program.right.split("\n")
    found: set[int] = set()
    for tag, start, end, _, _ in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            found.update(range(start, end) if end > start else (max(0, start - 1),))
    return found


def in_a_function(text: str, rows: set[int]) -> bool:
    source = SourceText(text)
    places = [source.line_span(row).start for row in rows]
    return any(f.span.start <= at < f.span.end for f in find_functions(parse(source)) for at in places)


def judge(detector: Detector, program: Program, level: str, count: Count) -> None:
    source, options = SourceText(program.faulty), CheckOptions(level)
    found = detector.check(source, options=options)
    count.line += any(source.row_of(finding.span.start) in wrong_rows(program) for finding in found)
    count.warns += bool(detector.check(SourceText(program.right), options=options))
    surest = max((finding for finding in found if finding.fixes), key=lambda finding: finding.confidence, default=None)
    if surest is not None:
        count.offered += 1
        count.mended += program.solves(apply(program.faulty, surest.fixes[0].edits))


def main(
    rows: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="HumanEvalPack or ConDefects, JSON lines, gzip or not.")
    ],
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    limit: Annotated[int, typer.Option(help="Programs at most; 0 for all.")] = 0,
    described: Annotated[bool, typer.Option("--described", help="Read functions with their docstrings.")] = False,
) -> None:
    """Print the table."""
    console = Console(width=110)
    every = list(programs(rows, described))
    read = [each for each in every if in_a_function(each.faulty, wrong_rows(each))][: limit or None]
    detector = Detector(load_bundle(bundle) if bundle else active_bundle("defects"))
    counts = {level: Count() for level in LEVELS}
    for program in track(read, "reading", console=Console(stderr=True)):
        for level, count in counts.items():
            judge(detector, program, level, count)
    table = Table("sensitivity", title=f"{len(read)} faulty programs of {len(every)}, the others wrong elsewhere")
    for name in ("wrong line", "fix offered", "right", "wrong", "right programs that warn"):
        table.add_column(name, justify="right")
    for level, count in counts.items():
        wrong = count.offered - count.mended
        table.add_row(level, *map(str, (count.line, count.offered, count.mended, wrong, count.warns)))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

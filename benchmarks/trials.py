"""What the tests of a project say of it while it is edited: of released code, and of slips put into what they run.

    python benchmarks/trials.py boltons/ toolz/        checkouts, with their tests

Released code passes its tests: each that fails here is an error of the interpreter, or of this machine, and is listed.
Nothing is run but the interpreter, and no model is asked: of several edits that pass, the cheapest counts.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from codehunch.defects.by_example import ExampleChecker
from codehunch.defects.by_test import TrialChecker, Tried
from codehunch.defects.findings import Finding
from codehunch.defects.rewrites import Rewrite, Slot, apply, slots
from codehunch.files import SourceFile, walk
from codehunch.interpreter.around import Around
from codehunch.interpreter.file_statements import defined_name
from codehunch.interpreter.program import Program
from codehunch.project import Project
from codehunch.project_files import is_test
from codehunch.settings import SettingsReader
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import cut_at, section_starts

_NEAR = 2
"""Characters that a finding may stand behind a slip."""


@attrs.define
class Tally:
    files: int = 0
    covered: int = 0
    """Files that a test says something of."""
    tests: int = 0
    decided: int = 0
    slips: int = 0
    told: int = 0
    here: int = 0
    """Told where the slip is."""
    mended: int = 0
    undone: int = 0
    """First fixes that give the text as it was."""
    slowest: float = 0.0
    """Seconds of one look at a file whose tests nobody has tried."""
    failing: list[str] = attrs.field(factory=list)


def _tried(program: Program, tests: Sequence[Program]) -> tuple[list[Tried], int]:
    """All tests of a file that say something of it, and how many there are."""
    checker, tried, seen = TrialChecker(), [], -1
    while checker.known != seen:
        seen, tried = checker.known, checker.tried(program, tests)
    return tried, seen


def _slips(pieces: Sequence[str], tried: Sequence[Tried]) -> Iterator[tuple[int, Slot, Rewrite]]:
    """All that could be mistaken on the rows that tests run."""
    rows: dict[str, set[int]] = defaultdict(set)
    for each in tried:
        for name, own in each.verdict.ran.items():
            rows[name] |= own
    for number, piece in enumerate(pieces):
        name = defined_name(piece)
        parsed = parse(piece) if name in rows else None
        for _, node in function_nodes(parsed) if parsed is not None else ():
            for slot in slots(parsed, node):
                if piece.count("\n", 0, slot.span.start) + 1 in rows[name]:
                    yield from ((number, slot, rewrite) for rewrite in slot.rewrites)


def _count(tally: Tally, pieces: list[str], around: Around, slip: tuple[int, Slot, Rewrite]) -> None:
    number, slot, rewrite = slip
    faulty = [*pieces[:number], apply(pieces[number], rewrite.edits), *pieces[number + 1 :]]
    started = time.perf_counter()
    settled = ExampleChecker().settle(faulty, {}, around=around)
    tally.slowest = max(tally.slowest, time.perf_counter() - started)
    found: list[Finding] = [each for findings in settled.values() for each in findings]
    own = settled.get(number, ())
    tally.slips += 1
    tally.told += bool(found)
    tally.here += any(each.span.start <= slot.span.start <= each.span.end + _NEAR for each in own)
    tally.mended += any(each.fixes for each in found)
    tally.undone += any(
        each.fixes and apply(faulty[number], each.fixes[0].edits).split() == pieces[number].split() for each in own[:1]
    )


def count(path: Path, project: Project, tally: Tally, most: int, seed: int) -> None:
    """Put one file on its tests, as it is and with slips."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    around = project.around(path)
    tally.files += 1
    if not around.tests or around.modules is None:
        return
    pieces = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    tests = list(filter(None, map(around.modules.at, around.tests)))
    tried, every = _tried(Program(pieces, around.modules), tests)
    tally.tests += every
    tally.decided += len(tried)
    tally.covered += bool(tried)
    tally.failing += [f"{path}: {each.trial.name}: {each.verdict.failure}" for each in tried if not each.verdict.passed]
    made = list(_slips(pieces, tried))
    for slip in random.Random(f"{seed} {path.name}").sample(made, min(most, len(made))):
        _count(tally, pieces, around, slip)


def main(
    folders: Annotated[list[Path], typer.Argument(exists=True, file_okay=False, help="Checkouts of projects.")],
    most: Annotated[int, typer.Option(help="Slips for each file.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the draw of slips.")] = 0,
) -> None:
    """Print the table, and the tests that fail on the code as it is."""
    console = Console(width=120)
    names = [each.name for each in attrs.fields(Tally) if each.name != "failing"]
    table, failing = Table("project", *names), []
    for folder in folders:
        project, tally = Project(), Tally()
        entries = walk([str(folder)], ["python"], SettingsReader().for_folder)
        paths = [Path(each.path) for each in entries if isinstance(each, SourceFile)]
        own = [each for each in paths if not is_test(each.relative_to(folder)) and not each.name.endswith("_test.py")]
        for path in track(own, folder.name, console=Console(stderr=True)):
            count(path, project, tally, most, seed)
        values = (getattr(tally, name) for name in names)
        table.add_row(folder.name, *(f"{each:.1f}" if isinstance(each, float) else f"{each:,}" for each in values))
        failing += tally.failing
    console.print(table)
    for line in failing:
        console.print(escape(line))


if __name__ == "__main__":
    typer.run(main)

"""How often functions follow their own examples, and how much the interpreter can say of that.

    python benchmarks/examples.py .venv/lib/python3.11/site-packages     any folders of Python files
    python benchmarks/examples.py --tests boltons/ toolz/                checkouts, with what their tests assert

Released packages mostly do what their documentation shows: each function that is told here is an error of the
interpreter, or a real one, and is listed to be looked at. Nothing is run but the interpreter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from codehunch.defects.mending import Disagreement, described, disagreement
from codehunch.interpreter.around import NOTHING_AROUND
from codehunch.interpreter.program import Program
from codehunch.project import Project
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.synthesis.examples import assertions_of

_LONGEST = 2_000_000


@attrs.define
class Tally:
    lines: int = 0
    functions: int = 0
    decided: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = attrs.field(factory=Counter)
    told: list[tuple[Path, Disagreement]] = attrs.field(factory=list)


def files(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    """Python files that can be read, each content once."""
    seen: set[int] = set()
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    for path in track(paths, "reading", console=Console(stderr=True)):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if len(text) <= _LONGEST and hash(text) not in seen:
            seen.add(hash(text))
            yield path, text


def count(path: Path, text: str, tally: Tally, project: Project | None) -> None:
    """Put the functions of one file on their examples, and on what the project's tests say of them."""
    tally.lines += text.count("\n")
    started = time.perf_counter()
    statements = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    around = project.around(path) if project is not None else NOTHING_AROUND
    asserted, program = assertions_of(text), Program(statements, around.modules)
    for name, lines in around.asserted.items():
        asserted[name] = f"{lines}\n{asserted.get(name, '')}"
    functions = [found for each in statements if (found := described(each, asserted)) is not None]
    for function in functions:
        outcomes = [program.call(function.node.name, each.arguments) for each in function.examples]
        tally.decided += any(each.decided for each in outcomes)
        tally.reasons.update({each.undecided for each in outcomes if not each.decided})
        found = disagreement(program, function)
        if found is not None:
            tally.told.append((path, found))
    tally.functions += len(functions)
    tally.seconds += time.perf_counter() - started


def main(
    folders: Annotated[list[Path], typer.Argument(exists=True, file_okay=False, help="Where Python files lie.")],
    tests: Annotated[
        bool, typer.Option("--tests", help="Ask the other files of the projects, and their tests, as well.")
    ] = False,
) -> None:
    """Print the table, and what is told."""
    console, tally = Console(width=110), Tally()
    project = Project() if tests else None
    for path, text in files(folders):
        count(path, text, tally, project)
    table = Table("lines", "functions with examples", "followed by the interpreter", "told", "seconds")
    counts = (tally.lines, tally.functions, tally.decided, len(tally.told), round(tally.seconds))
    table.add_row(*(f"{each:,}" for each in counts))
    console.print(table)
    for reason, times in tally.reasons.most_common(12):
        console.print(f"{times:6} {escape(reason)}")
    for path, found in tally.told:
        example, outcome = found.broken[0].example, found.broken[0].outcome
        given = outcome.error or repr(outcome.value)
        fixes = ", ".join(each.label for each in found.mended)
        console.print(escape(f"{path}: {example.call} gives {given}, shown {example.result!r}; {fixes or 'no fix'}"))


if __name__ == "__main__":
    typer.run(main)

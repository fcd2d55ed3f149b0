"""Real bugs side by side: the files around mined fixes, before and after, read by CodeHunch, ruff, pylint and pyright.

    python benchmarks/linters.py HISTORIES... --repositories FOLDER --project redis-py --project alembic

Each of ``HISTORIES`` is what ``codehunch corpus histories`` writes; ``FOLDER`` holds the repositories they were mined
from, bare or not, as ``owner+name`` or ``owner+name/repo``. Linters run with their families for bugs, no style: ruff
``E9 F B PLE PLW RUF``, pylint errors and warnings, pyright as it is; none may complain of imports, for nothing is
installed. A bug is found when a wrong line has a warning, and told apart when the same warning is gone after the fix;
``but for undefined names`` leaves those rules out, which are any linter's own ground.
In brackets: 95 % intervals, projects drawn with replacement. With another bundle take another ``--work``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import typer
from defects import LEVELS, Case, cases
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.syntax.text import SourceText
from codehunch_training.evaluation.binary import interval_by

Warnings = dict[str, list[tuple[int, str]]]
"""File name -> (row from 0, rule)."""
RUFF = ("check", "--isolated", "--no-cache", "--exit-zero", "--select", "E9,F,B,PLE,PLW,RUF", "--output-format", "json")
PYLINT = ("--rcfile=", "--disable=all", "--enable=E,W", "--disable=import-error,no-name-in-module", "-f", "json")
LINTERS = ("ruff", "pylint", "pyright")
UNBOUND = "nothing in this file defines it"
"""What CodeHunch says of such a name, whatever the rule."""
UNDEFINED = {"F821", "undefined-variable", "reportUndefinedVariable", UNBOUND}
"""Rules on names that nothing defines: any linter's own ground."""
PYLINT_STYLE = {"line-too-long", "trailing-whitespace", "fixme"}


@attrs.frozen
class Pair:
    """One mined bug in its two files."""

    name: str
    project: str
    before: str
    after: str
    wrong: frozenset[int]
    """Rows of the wrong lexemes in ``before``."""
    right: frozenset[int]
    """Rows of what stands in their place in ``after``."""


def main(
    histories: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Mined histories, files of rows.")
    ],
    repositories: Annotated[Path, typer.Option(help="Folder of the repositories.")],
    project: Annotated[list[str] | None, typer.Option(help="Only these projects; repeat.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    limit: Annotated[int, typer.Option(help="Bugs at most; 0 for all.")] = 0,
    work: Annotated[
        Path | None, typer.Option(help="Folder that keeps what each tool said; a run goes on there.")
    ] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Only tools whose name begins so; repeat.")] = None,
) -> None:
    """Print the table."""
    chosen = [case for path in histories for case in cases(path, set(project or ()), True)][: limit or None]
    pairs = [pair for number, case in enumerate(chosen) if (pair := pair_of(case, repositories, number)) is not None]
    console = Console(width=150)
    console.print(
        f"{len(pairs)} of {len(chosen)} mined bugs whose files are there before and after the fix, "
        f"of {len({pair.project for pair in pairs})} projects"
    )
    table = Table("tool")
    for name in (
        "wrong line",
        "told apart",
        "but for undefined names",
        "still there after the fix",
        "per 1,000 lines after",
        "seconds",
    ):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = (work or Path(scratch)) / f"files-{digest_of(pairs)}"
        if not folder.exists():
            fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
            fresh.mkdir(parents=True)
            for pair in pairs:
                (fresh / f"before_{pair.name}").write_text(pair.before, encoding="utf-8")
                (fresh / f"after_{pair.name}").write_text(pair.after, encoding="utf-8")
            fresh.rename(folder)
        together: Warnings = {}
        for name, run in tools(folder, bundle):
            if tool and not name.lower().startswith(tuple(each.lower() for each in tool)):
                continue
            found, seconds = said_by(name, run, folder)
            for path, said in found.items() if name in LINTERS else ():
                together.setdefault(path, []).extend(said)
            table.add_row(name, *row_of(pairs, found), f"{seconds:.0f}")
    table.add_row("the linters together", *row_of(pairs, together))
    console.print(table)


def digest_of(pairs: list[Pair]) -> str:
    """Short name of a set of files."""
    texts = "\0".join(text for pair in pairs for text in (pair.name, pair.before, pair.after))
    return hashlib.sha256(texts.encode("utf-8", "replace")).hexdigest()[:12]


def said_by(name: str, run: Callable[[], Warnings], folder: Path) -> tuple[Warnings, float]:
    """What a tool says of the files, and its seconds; kept beside them once it is known."""
    kept = folder.with_name(f"{folder.name}-{name.replace(', ', '-').lower()}.json")
    if not kept.exists():
        start = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - start
        fresh = kept.with_suffix(".tmp")
        fresh.write_text(json.dumps({"seconds": seconds, "found": found}), encoding="utf-8")
        fresh.replace(kept)
    known = json.loads(kept.read_text(encoding="utf-8"))
    return {path: [(row, rule) for row, rule in said] for path, said in known["found"].items()}, known["seconds"]


def row_of(pairs: list[Pair], found: Warnings) -> list[str]:
    """What a tool said of all pairs, as cells."""
    hits, alarms, lines = np.zeros((4, len(pairs))), 0, 0
    for number, pair in enumerate(pairs):
        before = {rule for row, rule in found.get(f"before_{pair.name}", ()) if row in pair.wrong}
        after = {rule for row, rule in found.get(f"after_{pair.name}", ()) if row in pair.right}
        hits[:, number] = bool(before), bool(before - after), bool(before - after - UNDEFINED), bool(after)
        alarms += len(found.get(f"after_{pair.name}", ()))
        lines += pair.after.count("\n")
    projects = [pair.project for pair in pairs]
    return [*(_share(each, projects) for each in hits), f"{1000 * alarms / max(1, lines):.1f}"]


def _share(hits: NDArray[np.float64], projects: list[str]) -> str:
    """Count, share and its interval."""
    low, high = interval_by(projects, lambda rows: float(hits[rows].mean()))
    known = f" ({low:.0%} to {high:.0%})" if low == low else ""
    return f"{hits.sum():.0f} = {hits.mean() if len(hits) else 0.0:.1%}{known}"


def pair_of(case: Case, repositories: Path, number: int) -> Pair | None:
    """A bug's two files; ``None`` where the repository or one of them is not there."""
    folder = repositories / case.buggy.project.replace("/", "+")
    folder = folder / "repo" if (folder / "repo").is_dir() else folder
    before = show(folder, f"{case.buggy.commit}^", case.buggy.path)
    after = show(folder, case.buggy.commit, case.buggy.path)
    if before is None or after is None:
        return None
    first, fixed = first_row(before, case.buggy.text), first_row(after, case.fixed.text)
    if first is None or fixed is None:
        return None
    source, twin = SourceText(case.buggy.text), SourceText(case.fixed.text)
    wrong: set[int] = set()
    right: set[int] = set()
    moved = 0
    for start, end, content in sorted(case.buggy.edits):
        right |= rows(twin, start + moved, start + moved + len(content), fixed)
        moved += len(content) - (end - start)
    for start, end in case.buggy.spans:
        wrong |= rows(source, start, end, first)
    return Pair(f"{number}.py", case.buggy.project, before, after, frozenset(wrong), frozenset(right))


def rows(source: SourceText, start: int, end: int, first: int) -> set[int]:
    """Rows of a span of a function that begins at the row ``first`` of its file."""
    last = min(max(start, end), len(source.text))
    return set(range(first + source.row_of(min(start, last)), first + source.row_of(last) + 1))


def first_row(file: str, function: str) -> int | None:
    """The row where a function stands, however deep it is indented."""
    wanted = [line.strip() for line in function.rstrip().split("\n")]
    lines = [line.strip() for line in file.split("\n")]
    for row, line in enumerate(lines):
        if line == wanted[0] and lines[row : row + len(wanted)] == wanted:
            return row
    return None


def show(repository: Path, revision: str, path: str) -> str | None:
    """A file as it was, with line feeds only."""
    ran = subprocess.run(["git", "-C", repository, "show", f"{revision}:{path}"], capture_output=True, check=False)
    if ran.returncode:
        return None
    return ran.stdout.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def tools(folder: Path, bundle: Path | None) -> Iterator[tuple[str, Callable[[], Warnings]]]:
    """Name and run of every tool that is installed."""
    detector = Detector(load_bundle(bundle) if bundle else active_bundle("defects"))
    for level in LEVELS:
        yield f"CodeHunch, {level}", lambda level=level: codehunch(detector, folder, level)
    for name, run in zip(LINTERS, (ruff, pylint, pyright), strict=True):
        program = Path(sys.executable).with_name(name)
        found = str(program) if program.exists() else shutil.which(name)
        if found is None:
            Console(stderr=True).print(f"{name} is not installed")
        else:
            yield name, lambda run=run, found=found: run(found, folder)


def codehunch(detector: Detector, folder: Path, level: str) -> Warnings:
    found: Warnings = {}
    options = CheckOptions(level)  # type: ignore[arg-type]
    for path in track(sorted(folder.glob("*.py")), f"CodeHunch, {level}", console=Console(stderr=True)):
        source = SourceText(path.read_text(encoding="utf-8"))
        found[path.name] = [
            (source.row_of(each.span.start), UNBOUND if UNBOUND in each.message else each.code)
            for each in detector.check(source, options=options)
        ]
    return found


def ruff(program: str, folder: Path) -> Warnings:
    return grouped(
        (Path(each["filename"]).name, each["location"]["row"] - 1, each["code"] or "syntax")
        for each in json_of([program, *RUFF, "."], folder)
    )


def pylint(program: str, folder: Path) -> Warnings:
    names = sorted(path.name for path in folder.glob("*.py"))
    return grouped(
        (Path(each["path"]).name, each["line"] - 1, each["symbol"])
        for at in range(0, len(names), 20)
        for each in json_of([program, *PYLINT, *names[at : at + 20]], folder)
        if each["symbol"] not in PYLINT_STYLE
    )


def pyright(program: str, folder: Path) -> Warnings:
    settings = {
        "reportMissingImports": False,
        "reportMissingModuleSource": False,
        "reportAttributeAccessIssue": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return grouped(
        (Path(each["file"]).name, each["range"]["start"]["line"], each.get("rule") or "syntax")
        for each in json_of([program, "--outputjson"], folder)["generalDiagnostics"]
    )


def json_of(command: list[str], folder: Path) -> Any:
    """What a linter prints; they exit with another code than 0 where they find something."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    try:
        return json.loads(ran.stdout or b"[]")
    except ValueError:
        raise SystemExit(f"{command[0]} printed no JSON: {ran.stderr.decode('utf-8', 'replace')[:300]}") from None


def grouped(found: Any) -> Warnings:
    result: Warnings = {}
    for name, row, rule in found:
        result.setdefault(name, []).append((row, rule))
    return result


if __name__ == "__main__":
    typer.run(main)

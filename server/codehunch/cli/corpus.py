"""``codehunch corpus``: repositories, source trees and published data sets to training examples."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codehunch.cli.console import CommandError, note, warning

SOME_UNREADABLE = 1
"""Exit code where the corpus was made but some named input could not be read at all."""

app = typer.Typer(
    name="corpus",
    help="Make training examples from repositories, source trees and data sets.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Repositories (bare or not) or folders; @FILE lists more.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new corpus.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="one a core")]
EngineOption = Annotated[
    Literal["processes", "ray"], typer.Option("--engine", help="Where the work runs: this machine, or a Ray cluster.")
]
Address = Annotated[
    str, typer.Option("--address", help="Address of a running Ray cluster; empty: one on this machine.")
]
Licences = Annotated[
    str,
    typer.Option(
        "--licences", help="Allowed licences (SPDX, comma separated), `any`, or empty for the permissive ones."
    ),
]
Exclude = Annotated[
    list[str], typer.Option("--exclude", metavar="PROJECT", help="Leave out a project (owner/name or name).")
]
Tests = Annotated[bool, typer.Option("--tests", help="Read test files too.")]

_CORES = os.cpu_count() or 1


@app.command()
def functions(
    paths: Paths,
    out: Out,
    revision: Annotated[str, typer.Option("--revision", help="A commit, tag or branch of every repository.")] = "",
    shortest: Annotated[int, typer.Option(min=0, help="Fewest syntax nodes of a function.")] = 0,
    tests: Tests = False,
    documents: Annotated[bool, typer.Option("--documents", help="Read documentation and examples too.")] = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Collect every function of folders or of git revisions."""
    with _training():
        from codehunch_training.corpus.plans import plan_functions

        options = {"tests": tests, "documents": documents, "shortest": shortest}
        allowed = _allowed(licences, exclude)
        plan = plan_functions(
            _expanded(paths), out, revision=revision, options=options, allowed=allowed, about=_about()
        )
        _run(plan, jobs, engine, address, "files")


@app.command()
def histories(
    paths: Paths,
    out: Out,
    evidence: Annotated[
        Literal["function", "file", "elsewhere"],
        typer.Option(help="Keep fixes that the buggy function itself gives away, its file, or all."),
    ] = "function",
    since: Annotated[str, typer.Option(help="Only commits after this date.")] = "",
    until: Annotated[str, typer.Option(help="Only commits before this date.")] = "",
    any_message: Annotated[bool, typer.Option("--any-message", help="Do not ask the message for a fix.")] = False,
    tests: Tests = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Mine bug fixes from commits: the buggy function, its fixed twin, untouched neighbours."""
    with _training():
        from codehunch_training.corpus.plans import plan_histories

        options = {"evidence": evidence, "any_message": any_message, "tests": tests}
        allowed = _allowed(licences, exclude)
        plan = plan_histories(
            _expanded(paths), out, since=since, until=until, options=options, allowed=allowed, about=_about()
        )
        _run(plan, jobs, engine, address, "commits")


@contextlib.contextmanager
def _training() -> Iterator[None]:
    """Says which extra is missing, and turns the corpus's own errors into one line."""
    try:
        from codehunch_training.corpus.folder import CorpusError
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[corpus]'") from error
    try:
        yield
    except CorpusError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[corpus]'") from error


def _missing(error: ImportError) -> str:
    return error.name or str(error)


def _allowed(licences: str, exclude: list[str]) -> Any:
    from codehunch_training.corpus.plans import Allowed

    excluded = frozenset(name.lower() for name in exclude)
    if licences == "any":
        return Allowed(frozenset(), excluded)
    if licences:
        return Allowed(frozenset(name.strip() for name in licences.split(",")), excluded)
    return Allowed(excluded=excluded)


def _expanded(paths: list[Path]) -> list[Path]:
    from codehunch_training.corpus.plans import paths_from_list

    found: list[Path] = []
    for path in paths:
        if str(path).startswith("@"):
            found.extend(paths_from_list(Path(str(path)[1:])))
        else:
            found.append(path)
    return found


def _about() -> dict[str, Any]:
    return {"command": shlex.join(["codehunch", *sys.argv[1:]])}


def _run(plan: Any, jobs: int, engine: Literal["processes", "ray"], address: str, unit: str) -> None:
    """Run a plan with a progress bar and tell what came of it; exits 1 where an input was left out."""
    from codehunch_training.corpus.work import run

    with _progress(unit) as on_progress:
        manifest = run(plan, jobs=jobs, engine=engine, address=address, on_progress=on_progress)
    _tell(plan.out, manifest)


def _tell(out: Path, manifest: dict[str, Any]) -> None:
    for name, reason in manifest["unreadable"]:
        warning(f"{name}: {reason}")
    skipped = sum(manifest["skipped"].values())
    note(f"{manifest['total']:,} rows in {out} ({skipped:,} skipped; reasons in corpus.json)")
    print(manifest["fingerprint"])
    if manifest["unreadable"]:
        raise typer.Exit(SOME_UNREADABLE)


@contextlib.contextmanager
def _progress(unit: str) -> Iterator[Any]:
    """A bar with rate and time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        MofNCompleteColumn(),
        TextColumn(unit),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=None, rows=0, rate="")

        def show(progress: Any) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, completed=progress.done, total=progress.total, rows=progress.rows, rate=rate)

        yield show

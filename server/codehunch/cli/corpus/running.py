"""What every corpus command does around its own work: extras, progress, the last words, the exit code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import typer

from codehunch.cli.console import CommandError, note, warning

SOME_UNREADABLE = 1
"""Exit code where the corpus was made but some named input could not be read at all."""


@contextlib.contextmanager
def training(extra: str = "corpus") -> Iterator[None]:
    """Says which extra is missing, and turns the corpus's own errors into one line."""
    try:
        from codehunch_training.corpus.folder import CorpusError
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[{extra}]'") from error
    try:
        yield
    except CorpusError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[{extra}]'") from error


def _missing(error: ImportError) -> str:
    return error.name or str(error)


def about() -> dict[str, Any]:
    """What ``corpus.json`` says of the command line."""
    return {"command": shlex.join(["codehunch", *sys.argv[1:]])}


def run_plan(
    plan: Any, unit: str, *, jobs: int = 1, engine: Literal["processes", "ray"] = "processes", address: str = ""
) -> None:
    """Run a plan with a progress bar and tell what came of it; exits 1 where an input was left out."""
    from codehunch_training.corpus.work import run

    with progress(unit) as on_progress:
        manifest = run(plan, jobs=jobs, engine=engine, address=address, on_progress=on_progress)
    tell(plan.out, manifest)


def tell(out: Path, manifest: dict[str, Any]) -> None:
    """Name what could not be read, then rows and fingerprint; exits 1 where an input was left out."""
    for name, reason in manifest["unreadable"]:
        warning(f"{name}: {reason}")
    skipped = sum(manifest["skipped"].values())
    note(f"{manifest['total']:,} rows in {out} ({skipped:,} skipped; reasons in corpus.json)")
    print(manifest["fingerprint"])
    if manifest["unreadable"]:
        raise typer.Exit(SOME_UNREADABLE)


@contextlib.contextmanager
def progress(unit: str) -> Iterator[Callable[[Any], None] | None]:
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

        def show(state: Any) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, completed=state.done, total=state.total, rows=state.rows, rate=rate)

        yield show

"""Published data sets to rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codehunch.cli.console import CommandError
from codehunch.cli.corpus.options import (
    CORES,
    Jobs,
    Out,
)
from codehunch.cli.corpus.running import about, run_plan, training


def load(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Tables: JSON lines, JSON, CSV, Parquet, Arrow.")
    ],
    out: Out,
    text: Annotated[str, typer.Option(help="Column of the function (the buggy one, beside --fixed).")] = "",
    label: Annotated[str, typer.Option(help="Column of the verdict: 0/1, clean, or a kind.")] = "",
    fixed: Annotated[str, typer.Option(help="Column of the function after the fix.")] = "",
    fault_line: Annotated[str, typer.Option(help="Column of the wrong line's number.")] = "",
    question: Annotated[str, typer.Option(help="Column of the description, beside --code.")] = "",
    code: Annotated[str, typer.Option(help="Column of the code that answers it.")] = "",
    language: Annotated[str, typer.Option(help="Column of the language, or one language for all.")] = "",
    path: Annotated[str, typer.Option(help="Column of a file name.")] = "",
    project: Annotated[str, typer.Option(help="Column of the project.")] = "",
    commit: Annotated[str, typer.Option(help="Column of the commit.")] = "",
    split: Annotated[str, typer.Option(help="Column of the split.")] = "",
    licence: Annotated[str, typer.Option(help="Column of the licence.")] = "",
    mapped: Annotated[list[str], typer.Option("--map", metavar="VALUE=KIND", help="What a label means.")] = [],  # noqa: B006
    jobs: Jobs = CORES,
) -> None:
    """Load a published data set by naming its columns."""
    with training():
        from codehunch_training.corpus.load import Columns, plan_load

        columns = Columns(
            text, label, fixed, fault_line, question, code, language, path, project, commit, split, licence
        )
        labels = dict(_meaning(value) for value in mapped)
        run_plan(plan_load(paths, out, columns, labels, about()), "files", jobs=jobs)


def _meaning(text: str) -> tuple[str, str]:
    value, found, kind = text.partition("=")
    if not found:
        raise CommandError(f"--map {text}: write it as VALUE=KIND")
    return value, kind

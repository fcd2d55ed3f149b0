"""Arguments and options that several corpus commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codehunch.cli.console import CommandError

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Repositories (bare or not) or folders; @FILE lists more.")
]
Folders = Annotated[list[Path], typer.Argument(metavar="DIR...", help="Corpora of one kind of rows.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new corpus.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="one a core")]
Engine = Annotated[
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
Revision = Annotated[str, typer.Option("--revision", help="A commit, tag or branch of every repository.")]

CORES = os.cpu_count() or 1


def allowed(licences: str, exclude: list[str]) -> Any:
    """The ``Allowed`` of ``--licences`` and ``--exclude``."""
    from codehunch_training.corpus.plans import Allowed

    excluded = frozenset(name.lower() for name in exclude)
    if licences == "any":
        return Allowed(frozenset(), excluded)
    if licences:
        return Allowed(frozenset(name.strip() for name in licences.split(",")), excluded)
    return Allowed(excluded=excluded)


def expanded(paths: list[Path]) -> list[Path]:
    """The paths, with every ``@FILE`` replaced by the paths it lists."""
    from codehunch_training.corpus.plans import paths_from_list

    found: list[Path] = []
    for path in paths:
        if str(path).startswith("@"):
            found.extend(paths_from_list(Path(str(path)[1:])))
        else:
            found.append(path)
    return found


def chosen(text: str, known: tuple[str, ...], option: str) -> list[str]:
    """The names of a comma-separated option. Raises CommandError for none and for unknown ones."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(known):
        raise CommandError(f"{option} {text}: choose from {', '.join(known)}")
    return names

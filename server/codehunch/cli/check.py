"""``codehunch check``: the same findings as in the editor, for people, scripts and code scanning."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codehunch.cli.options import STDIN, Format, Level

if TYPE_CHECKING:
    from codehunch.settings import SettingsReader


def check(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Files and folders; - for stdin.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.TEXT,
    sensitivity: Annotated[
        Level | None, typer.Option(help="How readily to warn: a budget of false alarms; medium if nothing is set.")
    ] = None,
    select: Annotated[list[str] | None, typer.Option(metavar="CODES", help="Report only these codes or kinds.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="Never report these codes or kinds.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERNS", help="Leave out files and folders, written as in .gitignore."),
    ] = None,
    stdin_filename: Annotated[
        str | None, typer.Option(metavar="FILE", help="The name of the text that comes through stdin.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write verified fixes into the files; report what is left.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what --fix would change as a patch; write nothing.")
    ] = False,
    baseline: Annotated[
        str | None, typer.Option(metavar="FILE", help="Leave out the findings that this file knows.")
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Write all findings into the baseline file and exit with 0.")
    ] = False,
    changed_since: Annotated[
        str | None, typer.Option(metavar="REV", help="Only code that differs from this git revision.")
    ] = None,
    no_feedback: Annotated[
        bool, typer.Option("--no-feedback", help="Report what was dismissed as `not a defect` as well.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Read every function anew; keep nothing on disk.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads the model may use.")] = None,
) -> None:
    """Warn about defects in files and folders.

    Without a PATH the working folder is checked.

    Exits with 0 when nothing was found, 1 when something was, 2 when something went wrong. With --diff, 1 means that
    there is something to fix.
    """
    from codehunch.cli.scan import Mode, scan

    named = _paths(paths, stdin_filename)
    if fix + diff + write_baseline > 1:
        raise typer.BadParameter("--fix, --diff and --write-baseline do different things; give one of them")
    if fix and named == [STDIN]:
        raise typer.BadParameter("--fix writes files, and stdin is none; --diff shows what it would change")
    if diff and format is not Format.TEXT:
        raise typer.BadParameter("--diff prints a patch; it has no other --format")
    settings = _settings(sensitivity, select, ignore, exclude, threads, baseline, changed_since, no_cache)
    if baseline is not None and not write_baseline and not os.path.lexists(baseline):
        raise typer.BadParameter(
            f"{baseline}: there is no such file; --write-baseline makes one", param_hint="--baseline"
        )
    mode = Mode(feedback=not no_feedback, fix=fix, diff=diff, write_baseline=write_baseline)
    raise typer.Exit(scan(named, format, settings, stdin_filename, mode))


def _paths(paths: list[str] | None, stdin_filename: str | None) -> list[str]:
    if not paths:
        return [STDIN] if stdin_filename is not None else [os.curdir]
    if STDIN in paths and len(paths) > 1:
        raise typer.BadParameter("- reads stdin and stands alone; name either - or paths")
    if stdin_filename is not None and paths != [STDIN]:
        raise typer.BadParameter("--stdin-filename names the text of stdin; give - as the only path")
    return paths


def _settings(
    sensitivity: Level | None,
    select: list[str] | None,
    ignore: list[str] | None,
    exclude: list[str] | None,
    threads: int | None,
    baseline: str | None,
    changed_since: str | None,
    no_cache: bool,
) -> SettingsReader:
    """A reader in which every option that was given outranks the files. Wrong values are usage errors."""
    from codehunch import settings_values as values
    from codehunch.cli.console import warning
    from codehunch.settings import SettingsReader

    here = os.path.abspath(os.curdir)
    overrides: dict[str, Any] = {}
    if sensitivity is not None:
        overrides["sensitivity"] = sensitivity.value
    if threads is not None:
        overrides["threads"] = threads
    if no_cache:
        overrides["cache"] = False
    if baseline is not None:
        overrides["baseline"] = os.path.abspath(baseline)
    if changed_since is not None:
        overrides["changed_since"] = changed_since
    for name, given, parse in (
        ("select", select, values.codes),
        ("ignore", ignore, values.codes),
        ("exclude", exclude, values.patterns),
    ):
        if given:
            words = [word.strip() for text in given for word in text.split(",") if word.strip()]
            complaints: list[str] = []
            overrides[name] = parse(words, complaints.append, here)
            if complaints:
                raise typer.BadParameter("; ".join(complaints), param_hint=f"--{name}")
    return SettingsReader(overrides, lambda problem: warning(str(problem)))

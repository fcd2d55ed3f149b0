"""The table of commands. A command's module is imported when the command is called for."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import attrs
import typer
from typer.core import TyperGroup

from codehunch import __version__
from codehunch.cli.console import CommandError, error, printable

INTERRUPTED = 130
BROKEN_PIPE = 141


@attrs.frozen
class Command:
    """One row: where a command's function, or its Typer group, lies."""

    name: str
    module: str
    attribute: str


COMMANDS = (
    Command("check", "codehunch.cli.check", "check"),
    Command("generate", "codehunch.cli.generate", "generate"),
    Command("serve", "codehunch.cli.serve", "serve"),
    Command("rule", "codehunch.cli.rule", "rule"),
    Command("feedback", "codehunch.cli.feedback", "app"),
    Command("bundles", "codehunch.cli.bundles", "app"),
    Command("doctor", "codehunch.cli.doctor", "doctor"),
    Command("corpus", "codehunch.cli.corpus", "app"),
    Command("train", "codehunch.cli.train", "train"),
    Command("export", "codehunch.cli.export", "export"),
    Command("evaluate", "codehunch.cli.evaluate", "evaluate"),
    Command("tune", "codehunch.cli.tune", "tune"),
    Command("compress", "codehunch.cli.compress", "app"),
    Command("retrain", "codehunch.cli.retrain", "retrain"),
)


class LazyCommands(Mapping[str, Any]):
    """The table as a mapping of name to command; looking one up imports it."""

    def __iter__(self) -> Iterator[str]:
        return (row.name for row in COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return any(row.name == name for row in COMMANDS)

    def __getitem__(self, name: str) -> Any:
        row = next((row for row in COMMANDS if row.name == name), None)
        if row is None:
            raise KeyError(name)
        target = getattr(importlib.import_module(row.module), row.attribute)
        command = typer.main.get_command(target if isinstance(target, typer.Typer) else _single(target))
        command.name = name
        return command


class LazyGroup(TyperGroup):
    """A group whose commands come from the table, and which turns every failure into one line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            error("interrupted")
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output has gone; the interpreter must not fail on flushing the rest.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE) from None
        except Exception as failure:
            if isinstance(failure, typer.Abort) or hasattr(failure, "exit_code"):
                raise
            raise SystemExit(_tell(failure)) from failure


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(value: bool) -> None:
    if value:
        print(f"codehunch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Warns about defects and writes bodies from docstrings, with small models on this machine."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; every way out is an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A file name or a source line may hold what the terminal's encoding lacks.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(list(arguments), prog_name="codehunch")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _single(function: Any) -> typer.Typer:
    group = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    group.command()(function)
    return group


def _tell(failure: Exception) -> int:
    """Say what went wrong in one line; the whole story is there for those who set CODEHUNCH_TRACEBACK."""
    from codehunch.bundles.errors import BundleError
    from codehunch.inference.errors import InferenceError

    if isinstance(failure, CommandError | BundleError | InferenceError):
        error(str(failure))
    elif isinstance(failure, OSError) and failure.strerror:
        where = f"{printable(os.fsdecode(failure.filename))}: " if failure.filename else ""
        error(f"{where}{failure.strerror}")
    else:
        hint = "set CODEHUNCH_TRACEBACK=1 to see where, and please report it"
        error(f"internal error: {type(failure).__name__}: {failure} ({hint})")
    if os.environ.get("CODEHUNCH_TRACEBACK"):
        traceback.print_exception(failure)
    return 2

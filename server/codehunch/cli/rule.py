"""``codehunch rule``: what a code means, a bad and a good example, how to silence it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def rule(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="A code such as CH101, or a kind's name.")] = None,
) -> None:
    """Explain a rule, or list all of them."""
    from codehunch.cli.console import stdout_console, write_out
    from codehunch.rules_pages import rule_page
    from codehunch.settings_values import codes_of

    if code is None:
        _list_rules()
        return
    try:
        found = codes_of(code)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; `codehunch rule` lists all of them") from error
    for each in found:
        page = rule_page(each).read_text(encoding="utf-8")
        if sys.stdout.isatty():
            from rich.markdown import Markdown

            stdout_console().print(Markdown(page), soft_wrap=False)
        else:
            write_out(page)


def _list_rules() -> None:
    from codehunch.defects.kinds import KINDS

    if not sys.stdout.isatty():
        for kind in KINDS:
            print(f"{kind.code}  {kind.name:<26}{kind.title}")
        return
    from rich.table import Table

    from codehunch.cli.console import stdout_console

    table = Table("code", "kind", "meaning", box=None, header_style="bold", pad_edge=False)
    for kind in KINDS:
        table.add_row(f"[bold red]{kind.code}[/]", kind.name, kind.title)
    stdout_console().print(table, soft_wrap=False)

"""``codehunch corpus``: repositories, source trees and published data sets to training examples."""

from __future__ import annotations

import typer

from codehunch.cli.corpus.cleaning import dedup, report
from codehunch.cli.corpus.collecting import docs, functions, histories
from codehunch.cli.corpus.injecting import inject, preferences
from codehunch.cli.corpus.loading import load
from codehunch.cli.corpus.multiplying import augment, backtranslate, made

app = typer.Typer(
    name="corpus",
    help="Make training examples from repositories, source trees and data sets.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (
    functions, histories, inject, preferences, docs, load, made, augment, backtranslate, dedup, report
):  # fmt: skip
    app.command()(_command)

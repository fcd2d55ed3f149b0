"""Defects put into functions, and the preferences they follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codehunch.cli.corpus.options import (
    CORES,
    Address,
    Engine,
    Jobs,
    Out,
)
from codehunch.cli.corpus.running import about, run_plan, training


def inject(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Corpora made by `corpus functions`.")],
    out: Out,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Most defective versions of a function.")] = 3,
    preferences: Annotated[
        Path | None, typer.Option(help="Made by `corpus preferences`; else those that ship.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws kinds, places and tokens.")] = 0,
    jobs: Jobs = CORES,
    engine: Engine = "processes",
    address: Address = "",
) -> None:
    """Put defects into functions, as often and of such kinds as histories show."""
    with training():
        from codehunch_training.corpus.injected import plan_inject

        plan = plan_inject(folders, out, count=count, seed=seed, preferences=preferences, about=about())
        run_plan(plan, "functions", jobs=jobs, engine=engine, address=address)


def preferences(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A corpus made by `corpus histories`.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="JSON file to write.")],
) -> None:
    """Measure which mistakes people make, for `corpus inject`."""
    with training():
        from rich.console import Console
        from rich.progress import track

        from codehunch_training.corpus.folder import read_rows
        from codehunch_training.corpus.preferences import measure, write_preferences
        from codehunch_training.corpus.rows import DefectRow

        rows = (row for row in read_rows(folder) if isinstance(row, DefectRow))
        found, share = measure(track(rows, "reading", console=Console(stderr=True), transient=True))
        write_preferences(out, found)
        print(f"{sum(found.kinds.values()):.0f} fixes, {share:.0%} of them within reach of injection")

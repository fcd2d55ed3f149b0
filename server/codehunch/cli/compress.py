"""``codehunch compress``: average runs, cut layers away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from codehunch.cli.console import note
from codehunch.cli.train import training_errors

NOT_BETTER = 1

app = typer.Typer(
    name="compress",
    help="Average the weights of runs, or make a smaller student of one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def average(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs from one start: same base and sizes.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="Rows that choose which runs are taken.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="RUN", help="Write the average as a run.")] = None,
    split: Annotated[str, typer.Option(help="Which rows of the data.")] = "valid",
    metric: Annotated[str, typer.Option(help="What chooses; the task's own if empty.")] = "",
) -> None:
    """Average the weights of several runs (a model soup) and tell what it gains.

    Runs that start from one checkpoint and differ by seed or recipe can often be averaged into a better model of the
    same size. Runs from nothing (new:) cannot, unless they share their seed. The best run is taken first, and each
    other one if it makes the average better on the chosen rows.

    Exits with 0 when the average beats its best member, 1 when it does not, 2 when something is wrong.
    """
    with training_errors():
        from codehunch_training.compression.soups import average_runs
        from codehunch_training.data import read_data

        def rows(run: Any) -> Any:
            return getattr(read_data(data, run.recipe), split)

        soup = average_runs(runs, rows, out, metric)
    width = max(map(len, [*soup.members, "average of the chosen"]))
    print(f"{'':{width}} {soup.metric:>12}")
    for name, found in soup.members.items():
        taken = "  chosen" if name in soup.ingredients else ""
        print(f"{name:{width}} {found[soup.metric]:12.4f}{taken}")
    print(f"{'average of all':{width}} {soup.uniform[soup.metric]:12.4f}")
    print(f"{'average of the chosen':{width}} {soup.greedy[soup.metric]:12.4f}")
    note(f"gain over the best run: {soup.gain:+.4f}")
    if soup.gain <= 0:
        raise typer.Exit(NOT_BETTER)


@app.command()
def shrink(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The teacher: a finished run.")],
    layers: Annotated[int, typer.Option("--layers", "-n", min=1, help="Layers to keep, evenly spaced.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BASE", help="Folder of the new base.")],
) -> None:
    """Make a base with fewer layers out of a run, to be taught by it.

    The next step is `codehunch train TASK --base BASE --set distillation.teacher=RUN --data CORPUS`.
    """
    with training_errors():
        from codehunch_training.compression.shrinking import shrink as run_shrink

        found = run_shrink(run, layers, out)
    kept = ", ".join(map(str, found.encoder))
    more = f"; of the decoder {', '.join(map(str, found.decoder))}" if found.decoder else ""
    note(f"kept layers {kept}{more}: {found.parameters:,} of {found.before:,} parameters")
    print(out)

"""``codehunch evaluate``: what a model is worth, on rows it has not seen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from codehunch.cli.console import CommandError, note, warning
from codehunch.cli.train import training_errors


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A run folder, a bundle (or `defects`, `generation` for the installed ones), or a table of answers.",
        ),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="A corpus, a table, or a folder of tables.")],
    split: Annotated[
        str, typer.Option(help="train, valid, test or all. [default: test where there is one, else valid, else all]")
    ] = "",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Name a column: data.text=func, data.label=target, ..."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE.json", help="Write all numbers.")] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Measure the mean of the models' probabilities too.")
    ] = False,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="From which score a row is flagged.")] = 0.5,
    limit: Annotated[int, typer.Option(min=0, help="Read at most so many rows; 0: all.")] = 0,
    samples: Annotated[int, typer.Option(min=1, help="Answers drawn a row, for pass@k; 1: the likeliest.")] = 1,
    temperature: Annotated[float, typer.Option(min=0.01, help="Of the sampling.")] = 0.8,
    run_tests: Annotated[
        bool, typer.Option("--run-tests/--no-run-tests", help="Run what was written against the tests of its row.")
    ] = True,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time limit of each program that is run.")] = 5.0,
    megabytes: Annotated[int, typer.Option(min=32, help="Memory limit of each program that is run.")] = 512,
) -> None:
    """Measure models on rows, print the metrics, and write a page of them.

    Judgements: accuracy, precision, recall, F1, MCC, ROC-AUC, PR-AUC, calibration before and after temperature
    scaling, twins, misses at a fixed false-positive rate, warnings per 1,000 clean lines. Places: top-k, initial false
    alarms, effort at 20 % recall. Written code: exact match, BLEU, CodeBLEU, edit similarity, validity, and pass@k
    where rows have tests, which are run in a sandbox. With a breakdown by kind, project, length and age, and a page on
    bias. Several models are taken for several seeds of one recipe: mean and spread are given.

    Exits with 0 when it measured, 2 when something is wrong.
    """
    with training_errors():
        from codehunch_training.evaluation.evaluating import evaluate as run_evaluation
        from codehunch_training.evaluation.measuring import Options, headline
        from codehunch_training.evaluation.page import to_json, write_page
        from codehunch_training.evaluation.readers import Sampling
        from codehunch_training.evaluation.sandbox import Limits
        from codehunch_training.run_folder import write_text

        with _display() as progress:
            options = Options(
                threshold=threshold,
                run_tests=run_tests,
                limits=Limits(seconds=seconds, megabytes=megabytes),
                progress=progress,
            )
            found = run_evaluation(
                [_model(name) for name in models],
                data,
                split=split,
                changes=changes or (),
                limit=limit,
                ensemble=ensemble,
                options=options,
                sampling=Sampling(samples=samples, temperature=temperature),
            )
        tree = found.tree
        _print(tree, headline(tree["metrics"], len(tree["metrics"])))
        for sentence in (tree["fairness"] or {}).get("findings", ()):
            warning(sentence)
        for path, write in (
            (json_file, lambda path: write_text(path, to_json(tree))),
            (report, _page(write_page, tree)),
        ):
            if path is not None:
                write(path)
                note(f"wrote {path}")


def _model(name: str) -> Path:
    """A path; ``defects`` and ``generation`` name the active bundles."""
    if name in ("defects", "generation") and not Path(name).exists():
        from codehunch.bundles.store import active_bundle

        return active_bundle(name).path  # type: ignore[arg-type]
    path = Path(name)
    if not path.exists():
        raise CommandError(f"{name}: no such run folder, bundle or table of answers")
    return path


def _page(write: Any, tree: Any) -> Any:
    return lambda path: write(tree, path)


def _print(tree: Any, names: list[str]) -> None:
    data = tree["data"]
    note(f"{data['rows']:,} rows of {data['source']} ({data['split']})")
    width = max(map(len, names), default=0)
    spread, together, intervals = tree.get("spread"), tree.get("ensemble", {}), tree.get("intervals", {})
    if spread:
        print(f"{'':{width}} {'mean':>10} {'deviation':>10}" + (f" {'ensemble':>10}" if together else ""))
    for name in names:
        line = f"{name:{width}} {tree['metrics'][name]:10.4f}"
        if spread:
            line += f" {spread[name]['deviation']:10.4f}"
            line += f" {together[name]:10.4f}" if name in together else ""
        elif name in intervals:
            line += f"  {intervals[name][0]:.4f} to {intervals[name][1]:.4f}"
        print(line)


@contextmanager
def _display() -> Iterator[Any]:
    """A bar for long work on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)

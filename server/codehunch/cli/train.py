"""``codehunch train``: fine-tune a checkpoint, or train a model from nothing, by a recipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from codehunch.cli.console import CommandError, note

STOPPED = 130
NOT_BETTER = 1
_SHOWN = 6
"""Metrics in a line."""


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What to learn; `codehunch train list` names the tasks.")],
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="A corpus, a table, or a folder with train.* and valid.*.")
    ] = None,
    base: Annotated[
        str, typer.Option("--base", "-b", help="A checkpoint's folder or hub name, or new:roberta, new:modern, ...")
    ] = "",
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="A recipe's name or file.")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: table.key=value.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="RUN", help="Run folder. [default: runs/TASK]")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with an unfinished run in RUN, or begin anew there.")
    ] = True,
) -> None:
    """Fine-tune a model by a recipe, and keep the best checkpoint.

    TASK is one of those `codehunch train list` prints, each with the recipes that ship for it. The run folder holds
    run.json (how it came about, metrics), log.jsonl, resumable checkpoints, and best/: a plain Hugging Face checkpoint
    that `codehunch evaluate` measures and `codehunch export` makes a bundle of.

    Ctrl-C saves; the same command goes on from there.

    Exits with 0 when the best checkpoint beats the trivial baseline, 1 when it does not, 2 when something is wrong,
    130 when it was stopped.
    """
    with training_errors():
        if task == "list":
            _list()
            return
        from codehunch_training.recipe import Recipe, load_recipe
        from codehunch_training.tasks import TASKS

        if task not in TASKS:
            raise CommandError(f"unknown task {task!r}; choose from {', '.join(TASKS)}")
        if data is None:
            raise CommandError("name the rows to train on: --data CORPUS")
        chosen = load_recipe(recipe, changes or ()) if recipe else _changed(Recipe(), changes or [])
        if not (base or chosen.base):
            raise CommandError("name what to start from: --base FOLDER, a hub name, or new:roberta")
        from codehunch_training.training import train as run_training

        folder = out or Path("runs") / task
        with _Display() as display:
            run = run_training(task, base or chosen.base, data, chosen, folder, resume=resume, progress=display.show)
    if int(os.environ.get("RANK", "0")):  # One of several processes tells.
        return
    _tell(run)
    if not run.finished:
        raise typer.Exit(STOPPED)
    metric = run.summary["best"].get("metric", "")
    if not _beats(run, metric):
        note(f"the best checkpoint does not beat the trivial baseline on {metric}")
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:  # torchrun would take it for a crash.
            raise typer.Exit(NOT_BETTER)


@contextlib.contextmanager
def training_errors(extra: str = "train") -> Iterator[None]:
    """One line where an extra is missing, and the toolbox's own errors as they are."""
    try:
        from codehunch_training.errors import ToolboxError
    except ImportError as error:
        raise CommandError(f"{error.name or error} is missing: pip install 'codehunch[{extra}]'") from error
    try:
        yield
    except ToolboxError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{error.name or error} is missing: pip install 'codehunch[{extra}]'") from error


def _changed(recipe: Any, changes: list[str]) -> Any:
    from codehunch_training.recipe import with_overrides

    return with_overrides(recipe, changes)


def _list() -> None:
    from codehunch_training.recipe import load_recipe, shipped_recipes
    from codehunch_training.tasks import TASKS

    recipes = {name: load_recipe(name) for name in shipped_recipes()}
    for task in TASKS:
        print(task)
        for name, recipe in recipes.items():
            if recipe.task == task:
                print(f"  {name:28} {recipe.about}")
    others = [name for name, recipe in recipes.items() if recipe.task not in TASKS]
    if others:
        print("any task")
        for name in others:
            print(f"  {name:28} {recipes[name].about}")


def _tell(run: Any) -> None:
    summary = run.summary
    best, baseline = summary["best"], summary["baseline"]
    if not run.finished:
        note(f"stopped at step {summary['steps_done']} of {summary['steps']}; the same command goes on from there")
    elif summary["stopped"]:
        note(f"ended at step {summary['steps_done']} of {summary['steps']}: {summary['stopped']}")
    if best:
        note(f"best {best['metric']} at step {best['step']}")
        width = max(map(len, best["metrics"]))
        print(f"{'':{width}} {'best':>10} {'baseline':>10}")
        for name, value in best["metrics"].items():
            other = f"{baseline[name]:10.4f}" if name in baseline else f"{'':10}"
            print(f"{name:{width}} {value:10.4f} {other}".rstrip())
    print(run.folder)


def _beats(run: Any, metric: str) -> bool:
    baseline = run.summary["baseline"].get(metric)
    if baseline is None or metric not in run.metrics:
        return True
    value = float(run.metrics[metric])
    return bool(value > baseline if run.summary["best"]["greater_is_better"] else value < baseline)


class _Display:
    """A bar with loss, rate and time left on a terminal; a line for each evaluation everywhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Display:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("reading", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, row: Mapping[str, Any]) -> None:
        """One report of a run."""
        if int(os.environ.get("RANK", "0")):
            return
        if "metrics" in row:
            metrics = "  ".join(f"{name} {value:.4f}" for name, value in list(row["metrics"].items())[:_SHOWN])
            line = f"step {row['step']}: {metrics}"
            if self._bar is not None:
                self._bar.console.print(line, highlight=False, soft_wrap=True)
            else:
                note(line)
        elif self._bar is not None:
            left = int(row["seconds_left"])
            told = f"loss {row['loss']:.4f}  {row['tokens_per_second']:,.0f} tokens/s  {left // 60}:{left % 60:02} left"
            self._bar.update(self._task, total=row["steps"], completed=row["step"], description=told)

"""``codehunch tune``: search over recipes, or let it choose everything within a budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codehunch.cli.console import CommandError, note
from codehunch.cli.train import STOPPED, training_errors

NOTHING = 1


def tune(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What to learn; `codehunch train list` names the tasks.")],
    data: Annotated[
        Path, typer.Option("--data", "-d", help="A corpus, a table, or a folder with train.* and valid.*.")
    ],
    base: Annotated[
        list[str] | None,
        typer.Option("--base", "-b", help="A checkpoint's folder or hub name, or new:...; several with --auto."),
    ] = None,
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="The recipe to start from: a name or a file.")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: table.key=value.")
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--search",
            metavar="FIELD=VALUES",
            help="Search a recipe field: LOW..HIGH, `LOW..HIGH log`, `LOW..HIGH step N`, or a|b|c. "
            "[default: rates, decay, warm-up, dropout, smoothing]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder of the study. [default: studies/TASK]")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", "-n", min=1, help="Trials in all, of all workers.")] = 20,
    minutes: Annotated[
        float, typer.Option(min=0.0, help="Start no trial after so many minutes; with --auto: the whole budget.")
    ] = 0.0,
    storage: Annotated[
        str, typer.Option(help="URL of a database that several workers share, such as postgresql://...")
    ] = "",
    study: Annotated[str, typer.Option(help="Name of the study in its database.")] = "study",
    pruner: Annotated[
        Literal["median", "hyperband", "none"], typer.Option(help="How trials that fall behind are ended early.")
    ] = "median",
    startup: Annotated[int, typer.Option(min=1, help="Random trials before anything is learned or pruned.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    auto: Annotated[
        bool, typer.Option("--auto", help="Choose base, size and recipe within --minutes; nothing else is needed.")
    ] = False,
    size: Annotated[
        list[str] | None, typer.Option("--size", help="With --auto: tiny, small, medium, large, base. Repeat it.")
    ] = None,
) -> None:
    """Search for the best recipe by Optuna, or choose a base, a size and a recipe with --auto.

    Every trial is an ordinary run under DIR/trials. The study lies in a database, DIR/study.db unless --storage names
    one: the same command goes on after Ctrl-C, and started again beside itself, here or on another machine with a
    shared database and folder, it works on the same study. DIR then holds best.toml, study.json and report.html, with
    the history, the learning curves and the importance of each field.

    Exits with 0 when there is a best run, 1 when no trial finished, 2 when something is wrong, 130 when it was stopped.
    """
    folder = out or Path("studies") / task
    with training_errors():
        from codehunch_training.recipe import Recipe, load_recipe, with_overrides
        from codehunch_training.tasks import TASKS

        if task not in TASKS:
            raise CommandError(f"unknown task {task!r}; choose from {', '.join(TASKS)}")
        chosen = load_recipe(recipe, changes or ()) if recipe else with_overrides(Recipe(), changes or [])
        if auto:
            from codehunch_training.tuning.auto import auto as run_auto

            named = base or ([chosen.base] if chosen.base else [])
            sizes = size or ("tiny", "small", "medium")
            found = run_auto(task, data, chosen, folder, minutes, named, sizes, _tell_auto)
            _print_auto(found)
            return
        bases = base or [chosen.base]
        if len(bases) != 1 or not bases[0]:
            raise CommandError("name one base: --base FOLDER, a hub name or new:roberta; or several with --auto")
        from codehunch_training.tuning.space import DEFAULT, parse_space
        from codehunch_training.tuning.study import StudyOptions
        from codehunch_training.tuning.study import tune as run_tune

        space = parse_space(search or DEFAULT, chosen)
        options = StudyOptions(
            trials=trials, minutes=minutes, storage=storage, name=study, pruner=pruner, startup=startup, seed=seed
        )
        tuned = run_tune(task, bases[0], data, chosen, space, folder, options, _tell)
    _print(tuned)
    if tuned.stopped:
        note("stopped; the same command goes on from there")
        raise typer.Exit(STOPPED)
    if tuned.best_value is None:
        note("no trial came to its end")
        raise typer.Exit(NOTHING)


def _tell(row: Mapping[str, Any]) -> None:
    """A line for each trial."""
    if "state" in row:
        value = f"{row['value']:.5g}" if row["value"] is not None else ""
        fields = "  ".join(f"{name}={_short(each)}" for name, each in row["params"].items())
        note(f"trial {row['trial']}: {row['state'].lower()} {value}  {fields}  ({row['seconds']:.0f} s)")


def _print(tuned: Any) -> None:
    if tuned.best_value is not None:
        print(f"{tuned.metric} {tuned.best_value:.5g}")
        best = next(
            each for each in tuned.trials if each["folder"] == tuned.best_run.name and each["value"] is not None
        )
        for name, value in best["params"].items():
            print(f"{name} = {_short(value)}")
    for name, value in tuned.importances.items():
        note(f"importance of {name}: {value:.2f}")
    note(f"wrote {tuned.folder / 'report.html'}")
    if tuned.best_run is not None:
        print(tuned.best_run)


def _tell_auto(row: Mapping[str, Any]) -> None:
    if "arm" not in row:
        return
    if row["left_out"]:
        note(f"{row['arm']}: left out, {row['left_out']}")
    elif row["what"] == "probe":
        note(f"{row['arm']}: {row['step_seconds']:.2f} s a step here")
    else:
        note(f"{row['arm']}: {row['value']:.5g}")


def _print_auto(found: Any) -> None:
    best = found.run.summary["best"]
    note(f"took {found.minutes:.1f} minutes")
    print(f"{best['metric']} {best['value']:.5g}")
    print(f"base {found.best.base}{f', size {found.best.size}' if found.best.size else ''}, rate {found.best.rate:g}")
    print(found.run.folder)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""What `codehunch retrain` brings on repositories the shipped models never saw.

    python benchmarks/retrain.py --out DIR --budget 10m REPOSITORY...

Every repository is retrained on alone, both tasks within one budget, in a process of its own; nothing is promoted.
Then every new model is read on the later commits of its repository beside the present one, and beside a control: the
model that spent the same budget on the next repository of the list that had enough to train on. Intervals are 95 %
paired bootstrap intervals. The folder keeps what is done, so the same command goes on; `--table` only prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch_training.corpus.repositories import open_repository
from codehunch_training.retraining import defect_measure, generation_measure
from codehunch_training.retraining.defect_steps import judged_on, paired
from codehunch_training.retraining.generation_steps import later_bodies
from codehunch_training.retraining.judging import Interval, compare_defects, compare_means
from codehunch_training.retraining.mining import Mined, mine
from codehunch_training.retraining.options import DEFAULT_RECIPE, TASKS, Recipe, Task, read_recipe
from codehunch_training.retraining.state import read_json, write_json
from codehunch_training.retraining.timeline import timelines


def run(repository: Path, folder: Path, budget: str, clock: str, task: str, nice: int, recipe: Path) -> None:
    """One retraining in a process of its own; what it cost goes to ``cost.json``."""
    if (folder / "cost.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CODEHUNCH_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "codehunch", "retrain", "--repo", str(repository), "--task", task]
    command += ["--budget", budget, "--clock", clock, "--no-promote", "--no-feedback", "--nice", str(nice)]
    command += ["--folder", str(folder / "run"), "--recipe", str(recipe)]
    started, load = time.monotonic(), os.getloadavg()[0]
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        print(f"{repository}: exit code {code}; see {folder / 'log.txt'}", file=sys.stderr)
        return
    cost = {
        "minutes": round((time.monotonic() - started) / 60, 2),
        "cpu_minutes": round((usage.ru_utime + usage.ru_stime) / 60, 2),
        "peak_megabytes": round(usage.ru_maxrss / 1024),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }
    write_json(folder / "cost.json", cost)


def mined_again(repository: Path, folder: Path, recipe: Recipe) -> Mined:
    """The rows of a finished run."""
    tasks = read_json(folder / "run" / "run.json")["options"]["tasks"]
    lines, _ = timelines([(open_repository(repository), "")], recipe.later)
    wanted = {name: getattr(recipe, name) for name in ("later", "valid", "most_functions", "most_commits")}
    return mine(lines, tasks, folder / "run" / "mined", wanted)


def control(repository: Path, folder: Path, others: list[Path], task: Task, recipe: Recipe) -> None:
    """The bundle of the first other run that made one, on this repository's later rows that its own model has read."""
    after = folder / "run" / task / "after.json"
    other = next((each for each in others if (each / "run" / task / "after.json").is_file()), None)
    if (path := folder / f"control-{task}.json").is_file() or other is None or not after.is_file():
        return
    mined = mined_again(repository, folder, recipe)
    bundle, count = load_bundle(other / "run" / task / "bundle"), len(read_json(after)["later"])
    if task == "defects":
        read: list[Any] = defect_measure.measure(bundle, judged_on(mined, recipe)[:count])
    else:
        read = generation_measure.measure(bundle, later_bodies(mined, recipe)[:count])
    write_json(path, {"other": other.name, "later": read})


def intervals(folder: Path, task: Task, mined: Mined, recipe: Recipe) -> dict[str, Any] | None:
    """Own and control against the present model, and own against the control."""
    if not (folder / "run" / task / "after.json").is_file():
        return None
    old, new = (read_json(folder / "run" / task / f"{name}.json")["later"] for name in ("before", "after"))
    path = folder / f"control-{task}.json"
    found: dict[str, Any] = {}
    others = None
    if path.is_file():
        found["other"], others = read_json(path)["other"], read_json(path)["later"]
    pairs = {"own": (old, new)}
    if others is not None:
        pairs |= {"control": (old, others), "against": (others, new)}
    if task == "defects":
        subjects = judged_on(mined, recipe)
        for name, (a, b) in pairs.items():
            rows = paired(subjects, a, b)
            found[name] = compare_defects(rows)
            found["n"] = sum(len(row["kinds"]) for row in rows)
        return found
    for name, (a, b) in pairs.items():
        both = [(x, y) for x, y in zip(a, b, strict=False) if x and y]
        found["n"] = len(both)
        weight = [x["tokens"] for x, _ in both]
        found[name] = compare_means([-x["nats"] / x["tokens"] for x, _ in both],
                                    [-y["nats"] / y["tokens"] for _, y in both], weight)  # fmt: skip
        found[f"{name} similarity"] = compare_means(
            [x["similarity"] for x, _ in both], [y["similarity"] for _, y in both]
        )
    return found


def change(interval: Interval | None, scale: float = 100, digits: int = 1) -> str:
    if interval is None:
        return "-"
    low, high = interval.low * scale, interval.high * scale
    return f"{interval.difference * scale:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def name_of(repository: Path) -> str:
    path = repository.resolve()
    return (path.parent if path.name in (".git", "repo") else path).name


def main(
    repositories: Annotated[list[Path], typer.Argument(help="Git repositories, at least two.")],
    out: Annotated[Path, typer.Option(help="Folder of all runs.")],
    budget: Annotated[str, typer.Option(help="Budget of each repository.")] = "10m",
    clock: Annotated[Literal["wall", "cpu"], typer.Option(help="What the budget counts.")] = "wall",
    task: Annotated[Literal["defects", "generation", "both"], typer.Option(help="Which models.")] = "both",
    nice: Annotated[int, typer.Option(help="As of `codehunch retrain`.")] = 10,
    recipe_file: Annotated[Path, typer.Option("--recipe", help="As of `codehunch retrain`.")] = DEFAULT_RECIPE,
    table: Annotated[bool, typer.Option("--table", help="Run nothing, print what is there.")] = False,
) -> None:
    """Run what is missing and print the tables."""
    recipe = read_recipe(recipe_file)
    tasks: tuple[Task, ...] = TASKS if task == "both" else (task,)
    folders = [out / name_of(repository) for repository in repositories]
    if not table:
        for repository, folder in zip(repositories, folders, strict=True):
            run(repository, folder, budget, clock, task, nice, recipe_file)
        for index, (repository, folder) in enumerate(zip(repositories, folders, strict=True)):
            for each in tasks:
                control(repository, folder, [*folders[index + 1 :], *folders[:index]], each, recipe)
    done = [(r, f) for r, f in zip(repositories, folders, strict=True) if (f / "cost.json").is_file()]
    rows: list[dict[str, Any]] = []
    for repository, folder in done:
        mined = mined_again(repository, folder, recipe)
        for each in tasks:
            verdict = read_json(folder / "run" / "result.json")["tasks"].get(each, {})
            row = {"repository": folder.name, "task": each, "verdict": verdict, **read_json(folder / "cost.json")}
            rows.append({**row, "intervals": intervals(folder, each, mined, recipe)})
    show(rows, budget, clock)
    plain = json.dumps(rows, default=lambda interval: interval.as_json(), indent=1)
    (out / "table.json").write_text(plain + "\n", encoding="utf-8")


def show(rows: list[dict[str, Any]], budget: str, clock: str) -> None:
    console = Console(width=190)
    for task, title, unit in (
        ("defects", "injected defects found at the exact place, mean over 0.3, 1 and 3 alarms per 1,000 lines, %", 100),
        ("generation", "nats per token of the real body, negated (higher is better)", 1),
    ):
        table = Table("repository", title=f"{task}: {title}; budget {budget} ({clock} time) for both tasks")
        for name in ("n", "before", "after", "change", "control's change", "own against control", "control", "verdict"):
            table.add_column(name, justify="right")
        digits = 1 if unit == 100 else 3
        for row in (row for row in rows if row["task"] == task):
            found = row["intervals"]
            if found is None:
                table.add_row(row["repository"], *["-"] * 7, str(row["verdict"].get("why", ""))[:60])
                continue
            own = found["own"]
            cells = [change(found.get(key), unit, digits) for key in ("own", "control", "against")]
            said = "better" if row["verdict"].get("better") else "kept"
            scores = (f"{own.old * unit:.{digits}f}", f"{own.new * unit:.{digits}f}")
            table.add_row(row["repository"], str(found["n"]), *scores, *cells, str(found.get("other", "-")), said)
        console.print(table)
    table = Table("repository", title="what it cost")
    for name in ("wall minutes", "processor minutes", "peak MB", "load average before and after"):
        table.add_column(name, justify="right")
    for row in {row["repository"]: row for row in rows}.values():
        table.add_row(
            row["repository"], *(str(row[key]) for key in ("minutes", "cpu_minutes", "peak_megabytes", "load"))
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

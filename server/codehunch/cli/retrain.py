"""``codehunch retrain``: the models, made better on a person's own repositories."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from codehunch.cli.console import CommandError, note

if TYPE_CHECKING:
    from codehunch_training.retraining.options import Options

NOT_BETTER = 1
INTERRUPTED = 130


def retrain(
    repositories: Annotated[
        list[str], typer.Option("--repo", "-r", metavar="PATH|URL", help="A git repository; repeat for more.")
    ] = ["."],  # noqa: B006
    task: Annotated[Literal["defects", "generation", "both"], typer.Option(help="Which model.")] = "defects",
    budget: Annotated[str, typer.Option(help="Time for everything: 30m, 90s, 2h.")] = "30m",
    recipe: Annotated[Path | None, typer.Option(metavar="FILE", help="A recipe; else the one that ships.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Mine, judge the present model, estimate the time; train nothing.")
    ] = False,
    promote: Annotated[bool, typer.Option("--promote/--no-promote", help="Make a better model the active one.")] = True,
    feedback: Annotated[
        bool, typer.Option("--feedback/--no-feedback", help="Learn from dismissed findings and accepted fixes.")
    ] = True,
    clock: Annotated[
        Literal["wall", "cpu"],
        typer.Option(help="What the budget counts: wall time, or processor time on a busy machine."),
    ] = "wall",
    run: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Folder of the run; else beside the bundles.")
    ] = None,
    licences: Annotated[
        str, typer.Option(help="Only repositories under these licences (SPDX, comma separated); empty: any.")
    ] = "",
    nice: Annotated[int, typer.Option(min=0, max=19, help="How far to step back for other work; 0: not at all.")] = 10,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes that mine.")] = 1,
    watch: Annotated[
        str,
        typer.Option(
            "--watch", metavar="TIME", help="Stay, look this often (12h, say), and retrain where enough is new."
        ),
    ] = "",
    new_commits: Annotated[int, typer.Option(min=1, help="With --watch: so many new commits are enough.")] = 10,
    status: Annotated[
        bool, typer.Option("--status", help="Print how the newest run stands, as JSON, and do nothing else.")
    ] = False,
) -> None:
    """Retrain on your own repositories and keep the better model.

    The history before a split in time trains, what came later judges. A model that is not better on the later
    code, or has forgotten general code, is not promoted. Ctrl-C stops; the same command goes on. Nothing is sent
    anywhere, and nothing of a repository is executed.

    Exits with 0 when a better model was promoted, 1 when the present one stays, 2 when something went wrong.
    """
    if status:
        print(json.dumps(newest_run()))
        return
    began = {"wall": time.monotonic(), "cpu": 0.0}[clock]  # Loading the libraries, and cloning, count as well.
    options = _options(repositories, task, budget, recipe, clock, promote, feedback, jobs, licences)
    if hasattr(os, "nice"):
        os.nice(max(0, nice - os.nice(0)))  # A person may be working beside it.
    if not watch:
        raise typer.Exit(_once(options, run, dry_run, began))
    if run is not None or dry_run or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise CommandError("--watch goes with neither --folder nor --dry-run nor torchrun; leave one of them out")
    from codehunch.cli.watch import watch as stay
    from codehunch_training.retraining.options import parse_budget
    from codehunch_training.retraining.remotes import is_address

    every = _readable(parse_budget, watch, "--watch")
    names = [name if is_address(name) else str(Path(name).resolve()) for name in options.repositories]
    arguments = [word for name in names for word in ("--repo", name)]
    arguments += ["--task", task, "--budget", budget, "--clock", clock, "--licences", licences]
    arguments += ["--nice", str(nice), "--jobs", str(jobs), "--promote" if promote else "--no-promote"]
    arguments += ["--feedback" if feedback else "--no-feedback", *(["--recipe", str(recipe)] if recipe else [])]
    raise typer.Exit(stay(arguments, names, options.tasks, every, new_commits))


_NEEDED = ("torch", "transformers", "onnx", "optimum", "safetensors", "detect_secrets")


def _options(
    repositories: list[str],
    task: str,
    budget: str,
    recipe: Path | None,
    clock: Literal["wall", "cpu"],
    promote: bool,
    feedback: bool,
    jobs: int,
    licences: str,
) -> Options:
    """What is asked for. What is missing or wrong is told before anything slow is imported."""
    for library in _NEEDED:
        if importlib.util.find_spec(library) is None:
            raise CommandError(f"{library} is missing: pip install 'codehunch[train]'")
    from codehunch_training.retraining.options import DEFAULT_RECIPE, TASKS, Options, parse_budget, read_recipe
    from codehunch_training.retraining.remotes import is_address
    from codehunch_training.retraining.timeline import opened

    made = _readable(read_recipe, recipe or DEFAULT_RECIPE)
    seconds = _readable(parse_budget, budget)
    for name in repositories:
        if not is_address(name):
            _readable(opened, name)
    return Options(
        repositories=tuple(dict.fromkeys(repositories)),
        tasks=TASKS if task == "both" else (task,),
        seconds=seconds,
        recipe=made,
        clock=clock,
        promote=promote,
        feedback=feedback,
        jobs=jobs,
        licences=frozenset(name.strip() for name in licences.split(",") if name.strip()),
    )


def newest_run() -> dict[str, Any]:
    """The folder of all runs; of the newest one what it does while it works, else its result and its report.

    Needs nothing of the training package.
    """
    from codehunch.bundles.store import store_folder

    root = store_folder().parent / "retrain"
    runs = sorted(path.parent for path in root.glob("*/run.json")) if root.is_dir() else []
    found: dict[str, Any] = {"runs": str(root), "folder": None, "progress": None, "tasks": None, "report": None}
    if runs:
        run = runs[-1]
        progress, result = (_json(run / name) for name in ("progress.json", "result.json"))
        alive = isinstance(progress, dict) and _alive(progress.get("pid"))
        report = run / "report.html"
        found |= {
            "folder": str(run),
            "progress": progress if alive else None,
            "tasks": result.get("tasks") if isinstance(result, dict) else None,
            "report": str(report) if report.is_file() else None,
        }
    return found


def _json(path: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def _alive(pid: object) -> bool:
    """Whether a process has this number; what a killed run left behind is no running run."""
    from codehunch.lsp.watchdog import process_exists

    return isinstance(pid, int) and pid > 0 and process_exists(pid)


def _readable(function: Any, *values: Any) -> Any:
    from codehunch_training.retraining.options import RetrainError

    try:
        return function(*values)
    except RetrainError as failure:
        raise CommandError(str(failure)) from failure


def _once(options: Options, run: Path | None, dry: bool, began: float) -> int:
    """One run; its exit code."""
    from codehunch_training.retraining.cluster import join
    from codehunch_training.retraining.options import RetrainError
    from codehunch_training.retraining.pipeline import retrain as work
    from codehunch_training.retraining.telling import Stopped

    cluster = join()
    try:
        with _stoppable(cluster.is_first) as stop, _shown() as teller:
            outcome = work(options, cluster=cluster, run=run, dry=dry, teller=teller, stop=stop, began=began)
    except RetrainError as failure:
        raise CommandError(str(failure)) from failure
    except Stopped:
        note("stopped; nothing is lost: the same command goes on from here, and the installed models are as they were")
        return INTERRUPTED
    finally:
        cluster.leave()
    if outcome is None:
        return 0
    if outcome.result.get("dry"):
        for name, found in outcome.result["tasks"].items():
            print(f"{name}: {_planned(found['plan']) if 'plan' in found else found['why']}")
        note("nothing was trained or changed; the same command without --dry-run goes on from here")
        return 0
    for name, found in outcome.result["tasks"].items():
        state = "promoted" if found["promoted"] else "better, but not promoted" if found["better"] else "kept as it was"
        print(f"{name}: {state}: {found['why']}")
    print(f"report: {outcome.folder / 'report.html'}")
    if outcome.promoted:
        note("running editors switch by themselves; `codehunch bundles rollback TASK` returns to the model before")
    # A launcher of several processes takes any other code than 0 for a crash.
    return 0 if outcome.promoted or cluster.size > 1 else NOT_BETTER


def _planned(plan: Mapping[str, Any]) -> str:
    """What a run would do with its budget."""
    training, rest = plan["seconds"] / 60, plan["rest_seconds"] / 60
    return f"would train for {training:.1f} minutes, then export and judge for {rest:.1f} minutes"


@contextlib.contextmanager
def _stoppable(first: bool) -> Iterator[Any]:
    """The first Ctrl-C, or SIGTERM, ends the run between two steps; a second one ends it at once."""
    pressed: list[int] = []

    def press(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        note("stopping after this step (once more: at once)")

    numbers = [number for name in ("SIGINT", "SIGTERM") if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, press if first else signal.SIG_IGN)
    try:
        yield lambda: bool(pressed)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Lines:
    """Progress as plain lines, for logs: a line a stage, and one now and then."""

    _EVERY = 20.0

    def __init__(self) -> None:
        self._stage, self._told = "", time.monotonic()

    def note(self, text: str) -> None:
        note(text)

    def stage(self, name: str) -> None:
        self._stage, self._told = name, time.monotonic()
        note(f"{name} ...")

    def progress(self, done: float, total: float, detail: str = "") -> None:
        if time.monotonic() - self._told > self._EVERY:
            self._told = time.monotonic()
            note(f"  {self._stage}: {100 * done / max(1e-9, total):.0f} % ({detail})")


class _Bar:
    """A bar a stage on a terminal."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("getting ready", total=None, detail="")

    def note(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def stage(self, name: str) -> None:
        # Without an end until it is told: the bar moves to and fro.
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=None, detail="")

    def progress(self, done: float, total: float, detail: str = "") -> None:
        self._progress.update(self._task, completed=done / max(1e-9, total), total=1.0, detail=detail)


@contextlib.contextmanager
def _shown() -> Iterator[_Lines | _Bar]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = ("{task.description}", "{task.fields[detail]}")
    with Progress(
        TextColumn(columns[0], markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn(columns[1], markup=False),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        yield _Bar(progress)

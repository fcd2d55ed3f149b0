"""One retraining from repositories to a promoted bundle, in steps that are each done once.

Every step finds its input in the run folder and leaves its output there; only process 0 of a cluster runs them, the
others train along. See ``docs/retraining.md`` for what a person sees of it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle, load_bundle
from codehunch_training.corpus.repositories import Repository, open_repository
from codehunch_training.corpus.work import Progress
from codehunch_training.retraining.cluster import Cluster
from codehunch_training.retraining.general import General, read_general
from codehunch_training.retraining.loop import Learner, fine_tune
from codehunch_training.retraining.mining import Mined, mine
from codehunch_training.retraining.opinions import Opinions, read_opinions
from codehunch_training.retraining.options import Options, RetrainError, Task
from codehunch_training.retraining.remotes import clone, is_address, newest
from codehunch_training.retraining.state import (
    CLOCKS,
    PROGRESS,
    RESULT,
    RunFolder,
    locked,
    open_run,
    read_json,
    runs_folder,
    write_json,
)
from codehunch_training.retraining.telling import Recorded, Silent, Stopped, Teller, stopper
from codehunch_training.retraining.timeline import Timeline, opened, timelines

NEEDED_MEGABYTES = 300
"""Free space a run wants before it begins."""


@attrs.frozen(eq=False)
class Context:
    """What every step of a run knows."""

    options: Options
    folder: RunFolder
    lines: tuple[Timeline, ...]
    mined: Mined
    opinions: Opinions
    general: General
    cluster: Cluster
    teller: Teller
    stop: Callable[[], bool]
    threads: int

    def check(self) -> None:
        """Raise Stopped if the person asked to stop; write down the time spent otherwise."""
        stopper(self.stop)()
        self.folder.tick()

    def tasks_left(self, task: Task) -> int:
        """How many tasks are still to do from this one on."""
        open_ = [each for each in self.options.tasks if not self.folder.file(each, "verdict.json").is_file()]
        return max(1, len(open_) - (open_.index(task) if task in open_ else 0))

    def share_of_budget(self, task: Task) -> float:
        """Seconds left for a task: what is left, divided among the tasks still to do."""
        return max(0.0, self.options.seconds - self.folder.elapsed - self.folder.planned) / self.tasks_left(task)


@attrs.frozen(eq=False)
class Outcome:
    """How a run ended."""

    folder: Path
    result: dict[str, Any]

    @property
    def promoted(self) -> list[str]:
        return [task for task, found in self.result["tasks"].items() if found["promoted"]]


def retrain(
    options: Options,
    *,
    cluster: Cluster | None = None,
    run: Path | None = None,
    dry: bool = False,
    teller: Teller | None = None,
    stop: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> Outcome | None:
    """Run or resume; ``None`` in processes that only train along. ``began``, by the budget's clock, is when the budget
    began to run, if not just now.

    Raises RetrainError with a sentence for the person, BundleError from the store, and Stopped where the person asked
    to stop; in all cases the installed bundles are as they were.
    """
    cluster = cluster or Cluster()
    torch.set_num_threads(threads_of(options))
    if not cluster.is_first:
        train_along(cluster, options)
        return None
    try:
        return _run(options, cluster, run, dry, teller or Silent(), stop, began)
    finally:
        cluster.share(None)


def train_along(cluster: Cluster, options: Options) -> None:
    """Lend this process to the trainings of process 0 until it has no more."""
    while (order := cluster.share(None)) is not None:
        learner, task, seconds, half = order
        fine_tune(
            learner,
            getattr(options.recipe, task),
            seconds,
            Path(os.devnull),
            cluster,
            half=half,
            seed=options.recipe.seed,
        )


def train_together(
    context: Context, learner: Learner, task: Task, seconds: float, half: bool, folder: Path, tell: Callable[..., None]
) -> Any:
    """Train with all processes of the cluster; returns ``loop.Trained``."""
    context.cluster.share((learner, task, seconds, half))
    return fine_tune(
        learner,
        getattr(context.options.recipe, task),
        seconds,
        folder,
        context.cluster,
        half=half,
        seed=context.options.recipe.seed,
        clock=context.folder.clock,
        stop=context.stop,
        tell=tell,
    )


def threads_of(options: Options) -> int:
    """The recipe's threads, else ``OMP_NUM_THREADS``, else all cores but one."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return options.recipe.threads or (int(wanted) if wanted.isdecimal() and int(wanted) else max(1, cores - 1))


def _run(
    options: Options,
    cluster: Cluster,
    run: Path | None,
    dry: bool,
    teller: Teller,
    stop: Callable[[], bool],
    began: float | None,
) -> Outcome:
    check = stopper(stop)
    began = CLOCKS[options.clock]() if began is None else began
    _has_room(runs_folder())
    with _plain_errors(runs_folder()):
        lines, refused = _lines(options, teller, stop)
        bundles = {task: store.active_bundle(task) for task in options.tasks}
        heads = {line.now.project: line.now.head for line in lines}
        heads |= {f"bundle:{task}": bundle.fingerprint for task, bundle in bundles.items()}
        folder = open_run(options, heads, run, began)
        for name, reason in refused:
            teller.note(f"left out {name}: {reason}")
        with locked(folder):
            if folder.before > 2:
                teller.note(f"going on with {folder.path} ({folder.before / 60:.1f} minutes are spent)")
            check()
            recorded = Recorded(teller, folder.file(PROGRESS))
            try:
                context = _context(options, folder, lines, cluster, recorded, stop)
                return _tasks(context, bundles, dry)
            finally:
                recorded.end()


def _lines(options: Options, teller: Teller, stop: Callable[[], bool]) -> tuple[list[Timeline], list[tuple[str, str]]]:
    found: list[tuple[Repository, str]] = []
    recipe = options.recipe
    for name in options.repositories:
        if is_address(name):
            teller.stage(f"cloning {name}")
            clones = runs_folder() / "clones"
            newest(name, clones)
            path = clone(name, clones, recipe.repository_megabytes, recipe.clone_minutes, stop)
            found.append((open_repository(path), re.sub(r"//[^/@]*@", "//", name)))  # No password in a manifest.
        else:
            found.append((opened(name), ""))
    if len({repository.project for repository, _ in found}) < len(found):
        raise RetrainError("two of the repositories have the same name; name each of them once")
    return timelines(found, recipe.later, options.licences)


def _context(
    options: Options,
    folder: RunFolder,
    lines: list[Timeline],
    cluster: Cluster,
    teller: Teller,
    stop: Callable[[], bool],
) -> Context:
    recipe = options.recipe
    check = stopper(stop)

    def mining(name: str, progress: Progress) -> None:
        check()
        folder.tick()
        if folder.elapsed > 0.4 * options.seconds and progress.done < progress.total:
            raise RetrainError(
                f"mining takes longer than 40 % of the budget ({options.seconds / 60:g} minutes); give a larger"
                " --budget, or lower most_commits in a recipe; on a busy machine --clock cpu counts processor time"
            )
        teller.progress(progress.done, progress.total, f"{name}, {progress.rows:,} rows")

    teller.stage("mining")
    wanted = {name: getattr(recipe, name) for name in ("later", "valid", "most_functions", "most_commits")}
    mined = mine(lines, options.tasks, folder.file("mined"), wanted, jobs=options.jobs, on_progress=mining)
    check()
    opinions = Opinions()
    if options.feedback:
        kept = folder.file("feedback.jsonl")
        if not kept.is_file():
            _copy_feedback(kept)
        roots = [Path(name) for name in options.repositories if not is_address(name)]
        opinions = read_opinions(roots, kept)
    general = read_general(recipe.general_functions, recipe.seed, "generation" in options.tasks)
    check()
    folder.tick()
    return Context(
        options, folder, tuple(lines), mined, opinions, general, cluster, teller, stop, threads_of(options)
    )  # fmt: skip


def _copy_feedback(kept: Path) -> None:
    """What was said when the run began: a resumed run learns from the same."""
    from codehunch.feedback import feedback_file

    source = feedback_file()
    part = kept.with_name(kept.name + ".part")
    part.write_bytes(source.read_bytes() if source.is_file() else b"")
    part.replace(kept)


def _tasks(context: Context, bundles: dict[Task, Bundle], dry: bool) -> Outcome:
    from codehunch_training.retraining.defect_steps import can_detect, defects
    from codehunch_training.retraining.generation_steps import can_generate, generation
    from codehunch_training.retraining.report import write_reports

    steps = {"defects": (can_detect, defects), "generation": (can_generate, generation)}
    folder, options = context.folder, context.options
    if folder.finished:
        return Outcome(folder.path, read_json(folder.file(RESULT)))
    found: dict[str, Any] = {}

    def impossible(task: Task, error: RetrainError) -> None:
        if len(options.tasks) == 1:
            raise error
        context.teller.note(f"{task}: {error}")  # The other task can still be done.
        found[task] = {"better": False, "why": str(error), "old": bundles[task].manifest.id}
        if not dry:
            write_json(folder.file(task, "verdict.json"), found[task])

    for task in options.tasks:
        verdict = folder.file(task, "verdict.json")
        if verdict.is_file():
            found[task] = read_json(verdict)
            continue
        try:
            steps[task][0](context, bundles[task])
        except RetrainError as error:
            impossible(task, error)
    # What cannot be done leaves its part of the budget to the other.
    left = tuple(task for task in options.tasks if task not in found)
    narrowed = attrs.evolve(context, options=attrs.evolve(options, tasks=left))
    for task in left:
        try:
            found[task] = steps[task][1](narrowed, bundles[task], dry)
        except RetrainError as error:
            impossible(task, error)
            continue
        if not dry:
            write_json(folder.file(task, "verdict.json"), found[task])
        elif "plan" in found[task]:
            folder.planned += found[task]["plan"]["seconds"] + found[task]["plan"]["rest_seconds"]
            if not folder.file(task, "train").is_dir():
                folder.file(task, "plan.json").unlink()  # A run plans anew with what is left then.
    found = {task: found[task] for task in options.tasks}  # As they were asked for.
    if dry:
        return Outcome(folder.path, {"tasks": {t: {**v, "promoted": False} for t, v in found.items()}, "dry": True})
    if all("later" not in value for value in found.values()):
        raise RetrainError("; ".join(f"{task}: {value['why']}" for task, value in found.items()))
    context.teller.stage("report")
    result = {
        "repositories": [line.provenance for line in context.lines],
        "minutes": round(folder.elapsed / 60, 2),
        "budget_minutes": round(options.seconds / 60, 2),
        "clock": options.clock,
        "peak_megabytes": peak_megabytes(),
        "feedback": context.opinions.counts,
        "tasks": found,
    }
    write_reports(context, result)
    for task, value in found.items():
        value["promoted"] = False
        if value["better"] and options.promote:
            installed = store.install(folder.file(task, "bundle"))
            value["promoted"] = True
            value["new"] = f"{installed.manifest.id} {installed.manifest.version}"
    result["minutes"] = round(folder.elapsed / 60, 2)
    folder.tick()
    write_json(folder.file(RESULT), result)
    _tidy(folder, options)
    return Outcome(folder.path, result)


def _tidy(folder: RunFolder, options: Options) -> None:
    """Free what nobody needs any more: checkpoints and restored weights. Bundles, rows and reports stay."""
    for task in options.tasks:
        for name in ("start", "train"):
            shutil.rmtree(folder.file(task, name), ignore_errors=True)


def peak_megabytes() -> float:
    """Largest resident size of this process so far."""
    try:
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    except ImportError:
        return 0.0


def new_bundle(context: Context, task: Task) -> Bundle:
    """The bundle a run made for a task."""
    return load_bundle(context.folder.file(task, "bundle"))


def _has_room(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e6
    if free < NEEDED_MEGABYTES:
        raise RetrainError(
            f"{folder} has {free:,.0f} MB free, a run needs {NEEDED_MEGABYTES} MB; free some space, or set"
            f" {store.HOME_VARIABLE} to a folder with more; nothing was changed"
        )


class _plain_errors:
    """Says in a line what a person can put right: a full disk, in the many ways in which libraries report it, too
    little memory, a git that does not run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, RetrainError | Stopped | KeyboardInterrupt):
            return
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        try:
            full = full or shutil.disk_usage(self.folder).free < 1_000_000
        except OSError:
            full = False
        if full:
            raise RetrainError(
                f"the disk that holds {self.folder} is full; the installed models are as they were, and the same"
                " command goes on once there is room"
            ) from error
        if isinstance(error, subprocess.SubprocessError):
            raise RetrainError(f"git could not be run: {error}") from error
        if isinstance(error, torch.OutOfMemoryError):
            raise RetrainError(
                "the GPU has too little free memory; lower batch_tokens in a recipe, or set CUDA_VISIBLE_DEVICES to"
                " nothing to train on the processor; the installed models are as they were"
            ) from error
        if isinstance(error, MemoryError):
            raise RetrainError(
                "there is too little free memory; lower batch_tokens or most_functions in a recipe; the installed"
                " models are as they were"
            ) from error

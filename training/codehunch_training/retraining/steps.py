"""Steps that both tasks share: restore, judge, plan, train, and say how it came about."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
from safetensors.torch import load_file

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch_training.export.restore import restore
from codehunch_training.retraining import defect_measure, generation_measure
from codehunch_training.retraining.loop import BEST, Moment, Speed, Trained, measure_speed
from codehunch_training.retraining.mixing import mix, share_to_keep
from codehunch_training.retraining.options import RetrainError, Task
from codehunch_training.retraining.pipeline import Context, train_together
from codehunch_training.retraining.state import made_folder, read_json, write_json
from codehunch_training.retraining.telling import Stopped, stopper

_JUDGING = 0.13
"""Share of a task's time the first judgement may take; the second costs about the same."""
_REPORT = 0.05
"""Share of the budget the report may take."""
CHECKED = 40
"""Functions or prompts on which the int8 graphs are compared with the PyTorch model."""
_EXPORT_SECONDS = {"defects": 20.0, "generation": 30.0}
"""Processor time of export, int8 and parity; calibration comes on top."""
_LEAST_TRAINING = 5.0
_A_MOMENT = 5.0
"""Seconds that say little about how busy a machine is."""


@attrs.frozen(eq=False)
class Judge:
    """Reads the same rows with the old and the new bundle, each once per run."""

    context: Context
    task: Task
    later: Sequence[Any]
    general: Sequence[Any]

    def before(self, old: Bundle) -> dict[str, Any]:
        """Readings of the old bundle, within a share of the budget, and what one function cost."""
        path = self.context.folder.file(self.task, "before.json")
        if not path.is_file():
            self.context.teller.stage(f"judging the present {self.task} model")
            share = _JUDGING * self.context.share_of_budget(self.task)
            started, busy = self.context.folder.clock(), time.process_time()
            read = self._both(old, self.general, self.later, share)
            spent = {"seconds": self.context.folder.clock() - started, "busy": time.process_time() - busy}
            write_json(path, {**read, **spent})
        found: dict[str, Any] = read_json(path)
        return found

    def after(self, new: Bundle, before: Mapping[str, Any]) -> dict[str, Any]:
        """Readings of the new bundle on the rows the old one has read; on fewer where the budget ends."""
        path = self.context.folder.file(self.task, "after.json")
        if not path.is_file():
            self.context.teller.stage(f"judging the new {self.task} model")
            left = self.context.share_of_budget(self.task) - _REPORT * self.context.options.seconds
            seconds = max(0.6 * before["seconds"], left)
            rows = self.general[: len(before["general"])], self.later[: len(before["later"])]
            write_json(path, self._both(new, *rows, seconds))
        found: dict[str, Any] = read_json(path)
        return found

    def _both(
        self, bundle: Bundle, general: Sequence[Any], later: Sequence[Any], seconds: float
    ) -> dict[str, list[Any]]:
        # What tells about forgetting goes first: it is small, and always wanted.
        ends = self.context.folder.clock() + seconds
        first = self._read(bundle, general, 0.4 * seconds)
        left = max(0.1 * seconds, ends - self.context.folder.clock())
        return {"general": first, "later": self._read(bundle, later, left)}

    def _read(self, bundle: Bundle, rows: Sequence[Any], seconds: float) -> list[Any]:
        stop = stopper(self.context.stop)

        def tell(done: int, total: int) -> None:
            self.context.folder.tick()
            self.context.teller.progress(done, total, "functions")

        common: dict[str, Any] = {"seconds": seconds, "clock": self.context.folder.clock, "stop": stop, "tell": tell}
        if self.task == "defects":
            return list(defect_measure.measure(bundle, rows, threads=self.context.threads, **common))
        # What it writes itself is asked of later bodies only: writing takes long.
        write = bool(rows) and rows[0] is self.later[0]
        return list(generation_measure.measure(bundle, rows, write=write, **common))


def enough(count: int, least: int, what: str) -> None:
    if count < least:
        raise RetrainError(
            f"only {count} {what} came or changed after the split, and {least} are the least to tell which model is"
            " better; the present model stays (a larger `later` in a recipe moves the split back)"
        )


def restored(context: Context, task: Task, old: Bundle) -> Path:
    path = context.folder.file(task, "start")
    if not path.is_dir():
        context.teller.stage(f"turning {old.manifest.id} back into a model that can learn")
        try:
            with made_folder(path) as folder:
                restore(old, folder)
        except ValueError as error:
            raise RetrainError(f"{error}; only models of this kind can be retrained") from error
        context.check()
    return path


def plan_of(
    context: Context, task: Task, learner: Any, before: Mapping[str, Any], ends: float, calibrated: float
) -> dict[str, Any]:
    """How long to train: what the budget leaves after a measured step and the work that follows. Told, and kept."""
    path = context.folder.file(task, "plan.json")
    if path.is_file():
        kept: dict[str, Any] = read_json(path)
        return kept
    context.teller.stage("measuring a step")
    clock = context.folder.clock
    started, busy = clock(), time.process_time()
    speed: Speed = measure_speed(learner, context.cluster.device, clock)
    crowded = crowding(
        clock() - started + before["seconds"], time.process_time() - busy + before.get("busy", before["seconds"])
    )
    readings = sum(1 + len((row or {}).get("hits", ())) for name in ("general", "later") for row in before[name])
    each = before["seconds"] / max(1, readings)
    rest = (
        _EXPORT_SECONDS[task] * crowded
        + 1.2 * before["seconds"]
        + each * calibrated
        + _REPORT * context.options.seconds
    )
    seconds = ends - context.folder.elapsed - rest
    if seconds < _LEAST_TRAINING:
        # What is added is shared with the tasks that are still to do.
        missing = (60 - seconds) * context.tasks_left(task)
        raise RetrainError(
            f"after judging and export ({rest / 60:.1f} minutes here) the budget leaves no time to train in;"
            f" give --budget {math.ceil((context.options.seconds + missing) / 60)}m or more"
        )
    tuning = getattr(context.options.recipe, task)
    if tuning.most_steps:
        seconds = min(seconds, tuning.most_steps * speed.seconds)
    plan = {
        "seconds": round(seconds, 1),
        "rest_seconds": round(rest, 1),
        "step_seconds": round(speed.seconds, 4),
        "steps": tuning.most_steps or max(1, int(seconds / max(1e-4, speed.seconds))),
        "half": speed.half,
        "device": str(context.cluster.device),
        "processes": context.cluster.size,
        "threads": context.threads,
    }
    context.teller.note(
        f"{task}: one step takes {speed.seconds:.2f} s here ({'bf16' if speed.half else 'fp32'},"
        f" {context.cluster.device}); up to {plan['steps']:,} steps in {seconds / 60:.1f} minutes, then"
        f" {rest / 60:.1f} minutes of export and judging"
    )
    write_json(path, plan)
    return plan


def crowding(seconds: float, busy: float) -> float:
    """By how much other work slows this process down, at least 1: time that passed over processor time it got.

    Drawn towards 1 where little time has passed, for a moment says little.
    """
    return max(1.0, (seconds + _A_MOMENT) / (busy + _A_MOMENT))


def trained_by(context: Context, task: Task, learner: Any, plan: Mapping[str, Any]) -> Trained:
    """Train, or load the weights of a training that came to its end; then go back as far as too much was forgotten."""
    start = {name: tensor.detach().clone() for name, tensor in learner.model.state_dict().items()}
    trained = _trained(context, task, learner, plan)
    path = context.folder.file(task, "share.json")
    if path.is_file():
        mix(learner.model, start, learner.model.state_dict(), read_json(path)["share"])
    else:
        share = share_to_keep(learner, start, context.cluster.device, context.options.recipe.general_rise)
        write_json(path, {"share": share})
        context.folder.tick()
    return attrs.evolve(trained, share=read_json(path)["share"])


def _trained(context: Context, task: Task, learner: Any, plan: Mapping[str, Any]) -> Trained:
    folder = context.folder.file(task, "train")
    done = context.folder.file(task, "trained.json")
    if done.is_file():
        learner.model.load_state_dict(load_file(folder / BEST))
        return Trained(**{**read_json(done), "losses": tuple(map(tuple, read_json(done)["losses"]))})
    context.teller.stage(f"training the {task} model")
    last = [time.monotonic()]

    def tell(moment: Moment) -> None:
        context.teller.progress(
            moment.done, 1.0, f"step {moment.step}, loss {moment.loss:.3f}, {moment.seconds_left / 60:.1f} min left"
        )
        if time.monotonic() - last[0] > 5:
            context.folder.tick()
            last[0] = time.monotonic()

    trained: Trained = train_together(context, learner, task, plan["seconds"], plan["half"], folder, tell)
    context.folder.tick()
    if not trained.finished:
        raise Stopped
    write_json(done, attrs.asdict(trained))
    return trained


def provenance_of(
    context: Context, task: Task, old: Bundle, model: Any, trained: Trained, plan: Mapping[str, Any]
) -> dict[str, Any]:
    recipe = context.options.recipe
    parts = ("functions", "fixes") if task == "defects" else ("bodies",)
    return {
        "task": f"retrain {task}",
        "repositories": [line.provenance for line in context.lines],
        "started_from": {
            "id": old.manifest.id, "version": old.manifest.version, "fingerprint": old.fingerprint,
            "before": old.manifest.provenance.get("started_from"),
        },
        "model": {"architecture": type(model).__name__, "config": _plain(model.config.to_dict())},
        "recipe": {**_plain(attrs.asdict(recipe)), "minutes": round(plan["seconds"] / 60, 2)},
        "seed": recipe.seed,
        "data": {name: context.mined.facts[name]["fingerprint"] for name in parts},
        "rows": {name: context.mined.facts[name]["splits"] for name in parts},
        "feedback": context.opinions.counts,
        "general": "the standard library of Python " + ".".join(map(str, _python())),
        "steps": trained.steps,
        "best_step": trained.best_step,
        "share": trained.share,
        "seconds": round(trained.seconds, 1),
        "hardware": f"{plan['device']}, {plan['threads']} thread(s), {plan['processes']} process(es)",
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "onnxruntime")},
    }  # fmt: skip


def _python() -> tuple[int, ...]:
    return sys.version_info[:3]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what JSON can hold."""
    found: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return found


def into_manifest(out: Path, metrics: dict[str, Any]) -> None:
    bundle = load_bundle(out)
    write_bundle(out, attrs.evolve(bundle.manifest, metrics={**bundle.manifest.metrics, **metrics}))

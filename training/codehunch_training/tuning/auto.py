"""``tune --auto``: a base, its size and a recipe within a budget of minutes.

Successive halving (Jamieson and Talwalkar 2016): every pair of base and size gets a short run, the better half longer
ones at several learning rates, and the winner the rest. A probe measures each pair's speed here first, so that every
run has a schedule that ends with its time; pairs too slow to read half of the data are left out and named.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
from transformers import PreTrainedModel

from codehunch_training.bases import BaseError
from codehunch_training.errors import ToolboxError
from codehunch_training.evaluation.page import to_json
from codehunch_training.recipe import Recipe, load_recipe, to_toml, with_overrides
from codehunch_training.run_folder import Run, write_text
from codehunch_training.tasks import TASKS
from codehunch_training.techniques import Technique
from codehunch_training.training import TrainingError, train

_SHAPES = {
    # hidden size, layers, heads, feed-forward size
    "tiny": (64, 2, 2, 128),
    "small": (128, 3, 4, 384),
    "medium": (256, 4, 4, 1024),
    "large": (384, 8, 6, 1536),
    "base": (768, 12, 12, 3072),
}
SIZES: Mapping[str, tuple[str, ...]] = {
    name: (f"model.hidden_size={hidden}", f"model.layers={layers}", f"model.heads={heads}",
           f"model.intermediate_size={feed}", f"model.decoder_layers={max(1, layers // 2)}")
    for name, (hidden, layers, heads, feed) in _SHAPES.items()
}  # fmt: skip
"""Sizes of a ``new:`` base, the smallest first; a checkpoint has its own."""
_WORK = {name: layers * hidden * (4 * hidden + 2 * feed) for name, (hidden, layers, _, feed) in _SHAPES.items()}
_LEAST_EPOCHS = 0.5
BASES = {
    "encoder": ("new:roberta", "new:modern"),
    "causal": ("new:gpt2",),
    "seq2seq": ("new:t5", "new:bart"),
    "bag": (),  # Another optimiser's rates fit it: it is searched only where it is named.
}
_RATES = {True: (1e-3, 3e-4, 3e-3), False: (5e-5, 2e-5, 1e-4)}
"""Learning rates to try: from nothing, from a checkpoint. The first is the arm's own."""
_PROBE_STEPS, _PROBE_SECONDS = 12, 20.0
_SHARES = (0.3, 0.3, 0.4)
"""Of the budget: all arms, the better half at other rates, the winner."""
_USED = 0.85
"""Share of a run's time that its steps may take; the rest is for measuring and saving."""

Tell = Callable[[Mapping[str, Any]], None]


class AutoError(ToolboxError):
    """Nothing could be trained within the budget."""


@attrs.define(eq=False)
class Arm:
    """One way to train, and what came of it."""

    base: str
    size: str
    rate: float
    overrides: tuple[str, ...]
    step_seconds: float = 0.0
    epoch_steps: float = 0.0
    value: float | None = None
    run: Path | None = None
    left_out: str = ""

    @property
    def name(self) -> str:
        base = Path(self.base).name if not self.base.startswith("new:") else self.base.replace(":", "-")
        return "-".join(filter(None, (base, self.size, f"{self.rate:g}")))


@attrs.frozen(eq=False)
class Auto:
    """What was chosen, and everything that was tried."""

    best: Arm
    run: Run
    recipe: Recipe
    tried: list[Arm]
    minutes: float


def auto(
    task: str,
    data: Path,
    recipe: Recipe,
    out: Path,
    minutes: float,
    bases: Sequence[str] = (),
    sizes: Sequence[str] = ("tiny", "small", "medium"),
    tell: Tell | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Auto:
    """Choose and train within ``minutes``; the chosen run lies in ``out/best``, its recipe in ``out/best.toml``.

    ``recipe``: what every arm shares, columns above all. ``bases``: empty for those from nothing that fit the task.
    ``clock`` gives the seconds the budget is counted in.
    Raises AutoError where nothing fits the budget, and what ``train`` raises where the data cannot be read.
    """
    if minutes <= 0:
        raise AutoError("--auto needs a budget: --minutes N")
    unknown = [size for size in sizes if size not in SIZES]
    if unknown:
        raise AutoError(f"no size {unknown[0]!r}; choose from {', '.join(SIZES)}")
    began = clock()
    out.mkdir(parents=True, exist_ok=True)
    chosen = TASKS[task]()
    greater = chosen.greater_is_better
    arms = _arms(bases or [base for family in chosen.families for base in BASES[family]], sizes)
    smaller: dict[str, Arm] = {}
    for arm in arms:
        _foresee(arm, smaller.get(arm.base), minutes * 60 * _SHARES[0])
        if not arm.left_out:
            _probe(task, data, recipe, arm, out)
            smaller[arm.base] = arm
        _say(tell, arm, "probe")
    fitting = [arm for arm in arms if not arm.left_out]
    if not fitting:
        raise AutoError("; ".join(f"{arm.name}: {arm.left_out}" for arm in arms))

    def left() -> float:
        return minutes * 60 - (clock() - began)

    budget = left()
    fitting = _rung(task, data, recipe, fitting, out, budget * _SHARES[0], greater, tell, clock, _LEAST_EPOCHS)
    better = fitting[: max(1, len(fitting) // 2)]
    # The winner's rates first: with little time left, only they are tried.
    others = [
        Arm(arm.base, arm.size, rate, arm.overrides, arm.step_seconds, arm.epoch_steps)
        for arm in better[:2]
        for rate in _RATES[arm.base.startswith("new:")][1:]
    ]
    ranked = better + _rung(task, data, recipe, others, out, budget * _SHARES[1], greater, tell, clock, 0.0)
    ranked = sorted((arm for arm in ranked if arm.value is not None), key=_order(greater))
    if not ranked:
        raise AutoError(
            f"no run came to a measurement within {minutes:g} minutes; give more, or name smaller --size: "
            + "; ".join(f"{arm.name}: {arm.left_out}" for arm in arms if arm.left_out)
        )
    best = ranked[0]
    final = _recipe(recipe, best, max(left(), 1.0))
    place = out / "best"
    run = train(task, best.base, data, final, place, resume=False, progress=tell)
    value = run.summary["best"].get("value")
    if value is None or best.value is None or (value < best.value if greater else value > best.value):
        # More time did not help: the earlier run stays the best.
        assert best.run is not None
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(best.run, place)
        final = load_recipe(place / "recipe.toml")
        run = Run(place, _summary(place), True)
    else:
        best.value = float(value)
    best.run = place
    write_text(out / "best.toml", to_toml(final))
    found = Auto(best, run, final, [*arms, *others], (clock() - began) / 60)
    write_text(out / "auto.json", to_json({"minutes": found.minutes, "tried": [_row(arm) for arm in found.tried]}))
    return found


def _arms(bases: Sequence[str], sizes: Sequence[str]) -> list[Arm]:
    found = []
    for base in bases:
        rate = _RATES[base.startswith("new:")][0]
        if base.startswith("new:"):
            found += [Arm(base, size, rate, SIZES[size]) for size in SIZES if size in sizes]
        else:
            found.append(Arm(base, "", rate, ()))
    return found


def _foresee(arm: Arm, smaller: Arm | None, seconds: float) -> None:
    """Leave an arm out without a probe, where a smaller one of its base has shown that it would take too long: work
    grows with layers and with the square of the width."""
    if smaller is None or smaller.left_out or arm.size not in _WORK:
        return
    step = smaller.step_seconds * _WORK[arm.size] / _WORK[smaller.size]
    epochs = seconds * _USED / step / smaller.epoch_steps
    if epochs < _LEAST_EPOCHS:
        arm.left_out = f"reads only {epochs:.2f} of the data in {seconds / 60:.1f} minutes, to judge by its smaller kin"


class _Enough(Exception):
    """The probe has seen enough steps."""


class _Probe(Technique):
    """When each step began; ends the run after a few."""

    def __init__(self) -> None:
        self.begun: list[float] = []

    def before_step(self, model: PreTrainedModel, step: int, epoch: float) -> None:
        self.begun.append(time.monotonic())
        if step >= _PROBE_STEPS or (step >= 3 and self.begun[-1] - self.begun[0] > _PROBE_SECONDS):
            raise _Enough


def _probe(task: str, data: Path, recipe: Recipe, arm: Arm, out: Path) -> None:
    """Measure an arm's seconds a step on the first steps of an epoch, and how many it has; tells what does not fit."""
    probe = _Probe()
    short = with_overrides(recipe, [*arm.overrides, "schedule.epochs=1", "schedule.steps=0"])
    folder = out / "probes" / arm.name
    try:
        with contextlib.suppress(_Enough):
            train(task, arm.base, data, short, folder, resume=False, techniques=[probe])
        arm.epoch_steps = float(_summary(folder)["steps"])
    except (BaseError, TrainingError) as error:
        arm.left_out = str(error)
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # The first step warms up caches and is not counted.
    seconds = [later - earlier for earlier, later in pairwise(probe.begun[1:])]
    arm.step_seconds = max(1e-3, statistics.median(seconds)) if seconds else 1.0


def _rung(
    task: str, data: Path, recipe: Recipe, arms: Sequence[Arm], out: Path, seconds: float, greater: bool,
    tell: Tell | None, clock: Callable[[], float], least_epochs: float,
) -> list[Arm]:  # fmt: skip
    """Train each arm for its share of the time; those that were measured, the best first."""
    ends = clock() + seconds
    for number, arm in enumerate(arms):
        # What one arm did not use, the others have.
        share = max(0.0, ends - clock()) / (len(arms) - number)
        epochs = share * _USED / arm.step_seconds / arm.epoch_steps
        if epochs < least_epochs:
            arm.left_out = f"reads only {epochs:.2f} of the data in its {share / 60:.1f} minutes"
            _say(tell, arm, "left out")
            continue
        try:
            run = train(task, arm.base, data, _recipe(recipe, arm, share), out / "runs" / arm.name, resume=False)
        except TrainingError as error:
            arm.left_out = str(error)
            continue
        arm.run, arm.value = run.folder, run.summary["best"].get("value")
        # A whole run knows better than the probe.
        arm.step_seconds = max(1e-3, run.summary["seconds"] / max(1, run.summary["steps_done"]))
        shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
        _say(tell, arm, "run")
    return sorted((arm for arm in arms if arm.value is not None), key=_order(greater))


def _recipe(recipe: Recipe, arm: Arm, seconds: float) -> Recipe:
    """A schedule that ends with its time, measured some four times."""
    steps = max(4, int(seconds * _USED / arm.step_seconds))
    return with_overrides(
        recipe,
        [
            *arm.overrides,
            f"optimizer.learning_rate={arm.rate}",
            f"schedule.steps={steps}",
            f"schedule.evaluate_every={max(1, steps // 4)}",
            f"schedule.minutes={max(seconds / 60, 0.01):.4f}",
        ],
    )


def _order(greater: bool) -> Callable[[Arm], float]:
    return lambda arm: (-1.0 if greater else 1.0) * float(arm.value if arm.value is not None else 0.0)


def _say(tell: Tell | None, arm: Arm, what: str) -> None:
    if tell is not None:
        tell({"arm": arm.name, "what": what, "value": arm.value, "left_out": arm.left_out,
              "step_seconds": arm.step_seconds})  # fmt: skip


def _row(arm: Arm) -> dict[str, Any]:
    kept = ("base", "size", "rate", "step_seconds", "value", "left_out")
    return {name: getattr(arm, name) for name in kept}


def _summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found

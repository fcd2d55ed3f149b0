"""The fine-tuning loop of both tasks: a budget in seconds, checkpoints, the best weights so far, Ctrl-C."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import attrs
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from codehunch_training.retraining.cluster import Cluster
from codehunch_training.retraining.options import RetrainError, Tuning

CHECKPOINT = "checkpoint.pt"
BEST = "best.safetensors"
_MEASURED = 3
"""Batches a step is timed on."""
_VALIDATION = 0.02
"""Share of the training's time one look at the functions kept aside may take."""
_VALIDATIONS = 0.15
"""Share all looks between the first and the last may take: a batch of them is the least, however short the training."""
_FLOOR = 0.02
"""The learning rate ends at this share of its peak."""


class Learner(Protocol):
    """What the loop needs of a task."""

    model: nn.Module

    def batches(self, seed: str) -> Iterator[dict[str, Tensor]]:
        """Endless batches, others for another seed."""

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean loss of a batch."""

    def validation(self) -> list[dict[str, Tensor]]:
        """Batches of the functions that are kept aside, always the same."""


@attrs.frozen
class Speed:
    """What one step costs on this machine, measured."""

    seconds: float
    tokens: int
    half: bool
    """Whether bfloat16 is faster here than single precision."""


@attrs.frozen
class Moment:
    """What is told while training runs."""

    step: int
    loss: float
    done: float
    seconds_left: float


@attrs.frozen
class Trained:
    """How a training ended."""

    steps: int
    tokens: int
    seconds: float
    finished: bool
    """False where it was stopped before its end."""
    best_step: int
    losses: tuple[tuple[int, float, float], ...]
    """``(step, validation loss, mean training loss since the one before)``."""
    share: float = 1.0
    """How much of the way from the weights before to the best ones is kept, see ``mixing``."""


def measure_speed(learner: Learner, device: torch.device, clock: Callable[[], float] = time.monotonic) -> Speed:
    """Time a step in both precisions on real batches, the optimiser's part left out; nothing is learned."""
    started = clock()
    made = learner.batches("speed")
    batches = [_moved(next(made), device) for _ in range(_MEASURED)]
    # The first batches are made together with many that follow them; what one costs is known a little too high.
    making = (clock() - started) / _MEASURED / 4
    costs = {}
    learner.model.to(device).train()
    for half in (False, True):
        for number, batch in enumerate((batches[0], *batches)):  # The first warms up.
            if number == 1:
                started = clock()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = learner.loss(batch)
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
        costs[half] = max(1e-6, clock() - started) / _MEASURED
    learner.model.zero_grad(set_to_none=True)
    half = costs[True] < costs[False]
    tokens = sum(next(iter(batch.values())).numel() for batch in batches) // _MEASURED
    return Speed(costs[half] + making, tokens, half)


def fine_tune(
    learner: Learner,
    tuning: Tuning,
    seconds: float,
    folder: Path,
    cluster: Cluster,
    *,
    half: bool = False,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[Moment], None] = lambda moment: None,
) -> Trained:
    """Train for ``seconds`` by ``clock``, all runs together; the model then holds the best weights seen.

    Best is the least loss on the functions kept aside, the starting point included. Goes on from the checkpoint in
    ``folder``. Raises RetrainError where the loss is no number.
    """
    model = learner.model.to(cluster.device)
    optimizer = _optimizer(model, tuning)
    state: dict[str, Any] = {
        "step": 0,
        "tokens": 0,
        "seconds": 0.0,
        "best": math.inf,
        "best_step": 0,
        "losses": [],
        "validated": None,
        "looking": 0.0,  # What a look at the functions kept aside costs.
    }
    if cluster.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).is_file():
            kept = torch.load(folder / CHECKPOINT, map_location=cluster.device, weights_only=True)
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
            state |= kept["state"]
    state = cluster.share(state)
    cluster.copy_weights(model)  # The optimiser's moments of the others grow anew; gradients are shared.
    run = _Loop(learner, tuning, folder, cluster, optimizer, state, half, clock, seconds)
    if not state["losses"]:
        run.validate()
    finished = run.go(seconds, f"{seed}:{cluster.rank}", stop, tell)
    if finished:
        run.validate()
        if cluster.is_first:
            model.load_state_dict(load_file(folder / BEST))
            model.to(cluster.device)
    return Trained(
        state["step"], state["tokens"], state["seconds"], finished, state["best_step"],
        tuple((int(a), float(b), float(c)) for a, b, c in state["losses"]),
    )  # fmt: skip


@attrs.define
class _Loop:
    learner: Learner
    tuning: Tuning
    folder: Path
    cluster: Cluster
    optimizer: torch.optim.Optimizer
    state: dict[str, Any]
    half: bool
    clock: Callable[[], float]
    seconds: float
    recent: list[float] = attrs.field(factory=list)

    def go(self, seconds: float, seed: str, stop: Callable[[], bool], tell: Callable[[Moment], None]) -> bool:
        """Steps until the time is spent (True) or somebody asks to stop (False); leaves a checkpoint."""
        state, tuning, cluster = self.state, self.tuning, self.cluster
        model = self.learner.model
        model.train()
        clock, saved = self.clock(), state["seconds"]
        validations = len(state["losses"])
        wanted = tuning.validations
        if not tuning.most_steps:
            wanted = min(wanted, int(_VALIDATIONS * seconds / max(1e-9, state["looking"])))
            seconds -= min(state["looking"], 0.5 * seconds)  # The last look is part of the time as well.
        for batch in self.learner.batches(f"{seed}:{state['step']}"):
            spent = state["step"] / tuning.most_steps if tuning.most_steps else state["seconds"] / max(1e-9, seconds)
            done, stopped = cluster.agree(min(1.0, spent), stop())
            if done >= 1.0 or stopped:
                self.save()
                return not stopped
            if done * (wanted + 1) >= validations and wanted:
                state["seconds"] += self.clock() - clock
                self.validate()
                validations += 1
                model.train()
                clock = self.clock()
            loss = self._step(_moved(batch, cluster.device), rate_at(done, tuning))
            state["step"] += 1
            now = self.clock()
            state["seconds"], clock = state["seconds"] + now - clock, now
            self.recent.append(loss)
            tell(Moment(state["step"], _mean(self.recent[-20:]), done, max(0.0, seconds - state["seconds"])))
            if state["seconds"] - saved > tuning.checkpoint_seconds:
                self.save()
                saved = state["seconds"]
        raise RetrainError("there is nothing to train on")

    def _step(self, batch: dict[str, Tensor], rate: float) -> float:
        model = self.learner.model
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.cluster.device.type, torch.bfloat16, enabled=self.half):
            loss = self.learner.loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RetrainError(
                f"the loss became {value} at step {self.state['step']}; lower learning_rate in the recipe"
            )
        loss.backward()
        self.cluster.average_gradients(model)
        nn.utils.clip_grad_norm_(model.parameters(), self.tuning.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.state["tokens"] += next(iter(batch.values())).numel() * self.cluster.size
        return value

    def validate(self) -> None:
        """Keep the weights if the functions kept aside like them best."""
        if not self.cluster.is_first:
            self.state["losses"].append((self.state["step"], 0.0, 0.0))
            return
        began = self.clock()
        model = self.learner.model
        model.eval()
        losses: list[float] = []
        batches = self.learner.validation()
        random.Random(0).shuffle(batches)  # They come by length; what is left out for time must not be the long ones.
        started = self.clock()
        with torch.inference_mode():
            for batch in batches[: self.state["validated"]]:
                losses.append(float(self.learner.loss(_moved(batch, self.cluster.device))))
                if self.clock() - started > _VALIDATION * self.seconds and self.state["validated"] is None:
                    self.state["validated"] = len(losses)  # From now on the same ones, so that losses compare.
                    break
        if self.state["validated"] is None:
            self.state["validated"] = len(losses)
        loss = _mean(losses)
        since = list(self.recent)
        self.recent = self.recent[-20:]
        self.state["losses"].append((self.state["step"], round(loss, 5), round(_mean(since), 5)))
        if loss < self.state["best"] or not losses:
            self.state["best"], self.state["best_step"] = loss, self.state["step"]
            part = self.folder / (BEST + ".part")
            save_file(_untied(model), part)
            part.replace(self.folder / BEST)
        self.state["looking"] = self.clock() - began
        self.state["seconds"] += self.state["looking"]

    def save(self) -> None:
        """A checkpoint beside the old one, then a rename: a kill in between loses nothing."""
        if not self.cluster.is_first:
            return
        part = self.folder / (CHECKPOINT + ".part")
        kept = {"model": self.learner.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**kept, "state": dict(self.state)}, part)
        part.replace(self.folder / CHECKPOINT)


def rate_at(done: float, tuning: Tuning) -> float:
    """The learning rate after the share ``done`` of the training: a short rise, then a cosine."""
    if done < tuning.warmup:
        return tuning.learning_rate * max(done / tuning.warmup, 0.05)
    falling = (done - tuning.warmup) / (1 - tuning.warmup)
    return tuning.learning_rate * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * falling)))


def _optimizer(model: nn.Module, tuning: Tuning) -> torch.optim.Optimizer:
    """AdamW, no decay on norms and biases."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": tuning.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=tuning.learning_rate, betas=(0.9, 0.98))


def _untied(model: nn.Module) -> dict[str, Tensor]:
    """All entries of the state, tied matrices as copies: safetensors refuses shared memory."""
    return {name: tensor.detach().clone().contiguous().cpu() for name, tensor in model.state_dict().items()}


def _moved(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan

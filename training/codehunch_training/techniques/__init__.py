"""Techniques: small hooks into a run, each in its own file, each with a test of its effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from codehunch_training.recipe import Recipe
from codehunch_training.tasks.specification import Batch, Loss, Task


class Technique:
    """Hooks of a run; each does nothing unless overridden. One object serves one run."""

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        """The model to train, before the optimiser is made: freeze, wrap, add modules."""
        return model

    def before_step(self, model: PreTrainedModel, step: int, epoch: float) -> None:
        """Before the batches of optimiser step ``step`` (from 0) are read; ``epoch`` is a fraction of epochs done."""

    def extra_loss(
        self, model: PreTrainedModel, task: Task, batch: Batch, found: Loss, totals: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """More parts of the loss, weighted and divided by ``totals`` like the task's own."""
        return {}

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        """After optimiser step ``step``."""

    def to_measure(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model that is measured, and kept if it is the best: averaged weights. ``model`` itself stays as it is."""
        return model

    def describe(self) -> dict[str, Any]:
        """What ``codehunch.json`` says beside the task's own description. JSON values only."""
        return {}

    def on_best(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model that is saved as ``best/``: adapters merged, weights averaged."""
        return model

    def state(self) -> dict[str, Any]:
        """What a resumed run needs: tensors, numbers, lists and dictionaries of them."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""


def techniques_of(recipe: Recipe) -> list[Technique]:
    """The techniques a recipe asks for, in the order in which they act."""
    found: list[Technique] = []
    regular = recipe.regularization
    if regular.freeze_layers or regular.freeze_embeddings or regular.unfreeze_every:
        from codehunch_training.techniques.freezing import Freezing

        found.append(Freezing(recipe))
    if recipe.adapters.kind != "none":
        from codehunch_training.techniques.adapters import Adapters

        found.append(Adapters(recipe))
    if regular.r_drop:
        from codehunch_training.techniques.rdrop import RDrop

        found.append(RDrop(regular.r_drop))
    if recipe.distillation.teacher:
        from codehunch_training.compression.distillation import Distillation

        found.append(Distillation(recipe.distillation))
    if recipe.averaging.kind != "none":
        from codehunch_training.compression.averaging import Averaging

        found.append(Averaging(recipe.averaging))
    return found

"""Frozen layers and gradual unfreezing."""

from __future__ import annotations

import os

from transformers import PreTrainedModel

from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.tasks.specification import Task
from codehunch_training.techniques import Technique
from codehunch_training.techniques.layers import EMBEDDINGS, HEAD, layer_count, layer_of


class Freezing(Technique):
    """Keeps the embeddings and the lowest layers as they are, and thaws the body from the top down.

    Gradual unfreezing is Howard and Ruder 2018 (Universal Language Model Fine-tuning, section 3.3): first the head
    alone, then one layer more each ``unfreeze_every`` epochs, the embeddings last.
    """

    def __init__(self, recipe: Recipe) -> None:
        table = recipe.regularization
        self.kept, self.every, self.embeddings = table.freeze_layers, table.unfreeze_every, table.freeze_embeddings

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        if self.every and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            # What is reduced over processes is settled before the first step, and thawed weights would drift apart.
            raise RecipeError("regularization.unfreeze_every works in one process; set it to 0, or use freeze_layers")
        self.layers = layer_count(model)
        if not self.layers:
            raise RecipeError(f"the layers of {type(model).__name__} cannot be told apart, so none can be frozen")
        if self.kept > self.layers:
            raise RecipeError(f"regularization.freeze_layers = {self.kept}, but the body has {self.layers} layers")
        self.before_step(model, 0, 0.0)
        return model

    def lowest_trained(self, epoch: float) -> int:
        """The lowest layer that learns: ``HEAD`` for none, ``EMBEDDINGS`` for all."""
        lowest = EMBEDDINGS
        if self.every:
            thawed = int(epoch / self.every)
            lowest = self.layers - thawed if thawed else HEAD
        floor = EMBEDDINGS
        if self.kept:
            floor = HEAD if self.kept < 0 else self.kept
        elif self.embeddings:
            floor = 0
        return max(floor, lowest, EMBEDDINGS)

    def before_step(self, model: PreTrainedModel, step: int, epoch: float) -> None:
        lowest = self.lowest_trained(epoch)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(layer_of(name) >= lowest)

"""Averages of weights: along one run while it trains, and over finished runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codehunch_training.compression.tables import AveragingTable
from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.tasks.specification import Task
from codehunch_training.techniques import Technique


class Averaging(Technique):
    """The measured and kept model has averaged weights; training goes on with its own."""

    def __init__(self, table: AveragingTable) -> None:
        if not 0 < table.decay < 1 or not 0 <= table.start < 1:
            raise RecipeError("averaging: decay must lie between 0 and 1, start at 0 or above and below 1")
        self.table = table
        self.average: dict[str, Tensor] = {}
        self.count = 0
        self.done = 0.0

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        self.schedule = recipe.schedule
        return model

    def before_step(self, model: PreTrainedModel, step: int, epoch: float) -> None:
        whole = self.schedule.steps or self.schedule.epochs
        self.done = (step if self.schedule.steps else epoch) / max(whole, 1e-9)

    @torch.no_grad()
    def after_step(self, model: PreTrainedModel, step: int) -> None:
        if self.table.kind == "swa" and self.done < self.table.start:
            return
        self.count += 1
        if self.table.kind == "swa":
            fresh = 1 / self.count
        else:
            # A short history is forgotten sooner, or the random start would stay in the average for long.
            fresh = 1 - min(self.table.decay, self.count / (self.count + 9)) if self.count > 1 else 1.0
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad and name in self.average:
                continue
            known = self.average.get(name)
            if known is None:
                self.average[name] = parameter.detach().float().clone()
            else:
                known.lerp_(parameter.detach().float().to(known.device), fresh)

    def to_measure(self, model: PreTrainedModel) -> PreTrainedModel:
        if not self.count:
            return model
        averaged = copy.deepcopy(model)
        with torch.no_grad():
            for name, parameter in averaged.named_parameters():
                parameter.copy_(self.average[name])
        return averaged

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "average": self.average}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.count, self.average = int(state["count"]), dict(state["average"])

"""The optimiser and its schedule, as the recipe says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import Adafactor

from codehunch_training.recipe import Recipe
from codehunch_training.techniques.layers import EMBEDDINGS, HEAD, is_vector, layer_count, layer_of


def rate_factor(name: str, layers: int, recipe: Recipe) -> float:
    """A parameter's learning rate as a share of the recipe's.

    Layer-wise decay (Sun et al. 2019, How to Fine-Tune BERT, section 5.3.4): the top layer's is 1 and each layer
    below has ``layer_decay`` times that of the one above; the embeddings stand below layer 0.
    """
    table = recipe.optimizer
    layer = layer_of(name)
    if layer == HEAD:
        return table.head_multiplier
    depth = layers if layer == EMBEDDINGS else layers - 1 - layer
    return float(table.layer_decay**depth)


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Groups of one rate and one decay. Frozen parameters are in, for they may thaw; without a gradient they rest."""
    layers = layer_count(model)
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        rate = recipe.optimizer.learning_rate * rate_factor(name, layers, recipe)
        decay = 0.0 if is_vector(name, parameter) else recipe.optimizer.weight_decay
        group = groups.setdefault((rate, decay), {"params": [], "names": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024: orthogonalised momentum) for the layers' matrices, AdamW for the rest, as one
    optimiser; updates are scaled to AdamW's size, so one rate suits both (Liu et al. 2025)."""

    def __init__(self, groups: list[dict[str, Any]], recipe: Recipe) -> None:
        matrices, rest = [], []
        for group in groups:
            chosen = [
                layer_of(name) not in (EMBEDDINGS, HEAD) and parameter.ndim == 2
                for name, parameter in zip(group["names"], group["params"], strict=True)
            ]
            for wanted, into in ((True, matrices), (False, rest)):
                params = [p for p, mine in zip(group["params"], chosen, strict=True) if mine is wanted]
                if params:
                    into.append({"params": params, "lr": group["lr"], "weight_decay": group["weight_decay"]})
        if not matrices:
            raise ValueError("muon needs a body with layers of matrices")
        table = recipe.optimizer
        self._parts = [
            torch.optim.Muon(matrices, lr=table.learning_rate, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=table.learning_rate, betas=(table.beta1, table.beta2), eps=table.epsilon),
        ]
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        # The schedule sets rates on the groups seen from outside: they must be the parts' own.
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self._parts for group in part.param_groups]


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    table, groups = recipe.optimizer, parameter_groups(model, recipe)
    if table.name == "muon":
        return MuonWithAdamW(groups, recipe)
    for group in groups:
        del group["names"]
    if table.name == "adafactor":
        return Adafactor(groups, lr=table.learning_rate, scale_parameter=False, relative_step=False, warmup_init=False)
    if table.name == "sgd":
        return torch.optim.SGD(groups, lr=table.learning_rate, momentum=table.beta1)
    return torch.optim.AdamW(groups, lr=table.learning_rate, betas=(table.beta1, table.beta2), eps=table.epsilon)


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Share of the peak rate at optimiser step ``step`` of ``steps``."""
    table = recipe.schedule
    warmup = round(steps * table.warmup)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    if table.kind == "constant":
        return 1.0
    if table.kind == "linear":
        return max(0.0, 1.0 - done)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def make_schedule(optimizer: torch.optim.Optimizer, steps: int, recipe: Recipe) -> torch.optim.lr_scheduler.LambdaLR:
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps, recipe))

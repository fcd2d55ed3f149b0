"""What a recipe cannot ask for: values out of their range, and choices that do not go together.

Checked before anything is read or loaded. What depends on the base or the data is told where it is known: a base that
does not fit its task by ``check_base``, a missing column by ``prepare``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from codehunch_training.recipe import Recipe, RecipeError

RANGES: tuple[tuple[str, float, float], ...] = (
    ("batch.accumulation", 1, math.inf),
    ("batch.tokens", 0, math.inf),
    ("batch.size", 1, math.inf),
    ("batch.pool", 1, math.inf),
    ("model.order", 1, 8),
    ("model.buckets", 2, math.inf),
    ("schedule.warmup", 0, 1),
    ("schedule.epochs", 0, math.inf),
    ("schedule.steps", 0, math.inf),
    ("optimizer.learning_rate", 0, math.inf),
    ("optimizer.weight_decay", 0, math.inf),
    ("optimizer.layer_decay", 0, 1),
    ("optimizer.clip", 0, math.inf),
    ("regularization.label_smoothing", 0, 0.999),
    ("regularization.r_drop", 0, math.inf),
    ("objective.mask_rate", 0, 0.999),
    ("objective.contrastive_weight", 0, math.inf),
)
"""Field, least and largest value."""

APART: tuple[tuple[Callable[[Recipe, bool], bool], str], ...] = (
    (
        lambda recipe, cuda: recipe.hardware.precision == "fp16" and not cuda,
        "fp16 needs CUDA; on a CPU set hardware.precision = bf16 or fp32",
    ),
    (
        lambda recipe, _: recipe.regularization.freeze_layers < 0 and recipe.regularization.unfreeze_every > 0,
        "regularization.freeze_layers = -1 keeps the body, and unfreeze_every would thaw it: choose one of the two",
    ),
    (
        lambda recipe, _: recipe.distillation.hidden_weight > 0 and recipe.hardware.gradient_checkpointing,
        "distillation.hidden_weight reads each layer once, and hardware.gradient_checkpointing computes them twice: "
        "set one of the two to 0 or false",
    ),
    (
        lambda recipe, _: recipe.distillation.hidden_weight > 0 and recipe.hardware.compile,
        "distillation.hidden_weight reads the layers from outside, and hardware.compile melts them into one: "
        "set one of the two to 0 or false",
    ),
    (
        lambda recipe, _: recipe.schedule.epochs == 0 and recipe.schedule.steps == 0,
        "schedule.epochs and schedule.steps are both 0: there is nothing to do",
    ),
)
"""Whether a recipe asks for two things that exclude each other (given whether there is CUDA), and what is told."""


def check_recipe(recipe: Recipe, device: torch.device) -> None:
    """Raises RecipeError with what to change."""
    for path, least, largest in RANGES:
        table, _, key = path.partition(".")
        value = getattr(getattr(recipe, table), key)
        if not least <= value <= largest:
            most = "" if math.isinf(largest) else f" and at most {largest:g}"
            raise RecipeError(f"{path} = {value}: it must be at least {least:g}{most}")
    for asked, told in APART:
        if asked(recipe, device.type == "cuda"):
            raise RecipeError(told)

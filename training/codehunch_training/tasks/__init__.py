"""The tasks of ``codehunch train``, each in its own file and imported when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codehunch_training.recipe import Recipe
    from codehunch_training.tasks.specification import Task


def _lazy(module: str, name: str) -> Callable[[], Task]:
    def make() -> Task:
        task: Task = getattr(importlib.import_module(f"codehunch_training.tasks.{module}"), name)()
        return task

    return make


TASKS: Mapping[str, Callable[[], Task]] = {
    "classify": _lazy("classify", "Classify"),
    "tokens": _lazy("tokens", "Tokens"),
    "defects": _lazy("joint_defects", "JointDefects"),
    "pretrain": _lazy("pretrain", "Pretrain"),
    "generation": _lazy("seq2seq", "Seq2Seq"),
    "causal": _lazy("causal", "Causal"),
    "search": _lazy("search", "Search"),
    "names": _lazy("names", "Names"),
    "denoising": _lazy("denoising", "Denoising"),
}


def task_for(name: str, recipe: Recipe) -> Task:
    """A task by name; pre-training of an encoder-decoder is a task of its own. Raises RecipeError."""
    from codehunch_training.recipe import RecipeError

    if name not in TASKS:
        raise RecipeError(f"unknown task {name!r}; choose from {', '.join(TASKS)}")
    objectives = recipe.objective.objectives
    if name == "pretrain" and "denoising" in objectives:
        if len(objectives) > 1:
            raise RecipeError("objective.objectives: denoising stands alone; the others are for encoders")
        name = "denoising"
    return TASKS[name]()

"""Runs before a run: intermediate tasks (Phang et al. 2018, STILTs), and injected defects before real ones at their
true imbalance (Allamanis et al. 2021; He et al. 2022, "On distribution shift in learning-based bug detectors").

Each phase is a run of its own in ``phases/``, resumed like any other, whose best checkpoint is the next one's base.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from codehunch_training.recipe import PhaseTable, Recipe, RecipeError, load_recipe, with_overrides
from codehunch_training.run_folder import Run
from codehunch_training.techniques.replay import beside

FOLDER = "phases"

Train = Callable[[str, str, Path, Recipe, Path], Run]
"""Task, base, data, recipe, folder -> run."""


def phase_recipe(phase: PhaseTable, recipe: Recipe) -> Recipe:
    """The recipe of a phase: its own, or the main one without its phases, with the phase's changes.

    Raises RecipeError that names the phase.
    """
    chosen = load_recipe(phase.recipe) if phase.recipe else attrs.evolve(recipe, before=(), task="")
    if chosen.before:
        raise RecipeError(f"phase {phase.name!r}: its recipe has phases of its own; list them all in one place")
    if chosen.adapters.kind in ("prompt", "bottleneck"):
        raise RecipeError(f"phase {phase.name!r}: {chosen.adapters.kind} cannot be trained on; use lora or ia3")
    try:
        return with_overrides(chosen, phase.set)
    except RecipeError as error:
        raise RecipeError(f"phase {phase.name!r}: {error}") from error


def train_before(task: str, base: str, data: Path, recipe: Recipe, out: Path, train: Train) -> tuple[str, Run | None]:
    """The base for the main run, and the phase that was stopped where one was."""
    names = [phase.name for phase in recipe.before]
    if len(set(names)) < len(names) or not all(name.replace("-", "").replace("_", "").isalnum() for name in names):
        raise RecipeError("phases need different names of letters, digits, - and _: each names a folder")
    for number, phase in enumerate(recipe.before, 1):
        where = beside(phase.data, data) if phase.data else data
        folder = out / FOLDER / f"{number}-{phase.name}"
        run = train(phase.task or task, base, where, phase_recipe(phase, recipe), folder)
        if not run.finished:
            return base, run
        base = str(folder / "best")
    return base, None

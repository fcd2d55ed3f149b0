"""Replay of general data beside the task's own, against forgetting, and how much was forgotten.

A share of the examples of every epoch comes from another corpus (experience replay as in de Masson d'Autume et al.
2019; for continued pre-training Ibrahim et al. 2024). The corpus is read in a shuffled order that goes on from epoch to
epoch, so all of it is seen before any of it is seen again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.data import Data, DataError, read_data
from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.tasks.specification import Features, Task


@attrs.frozen
class Mixer:
    """Which examples an epoch reads: all ``own`` ones, and a share of the ``general`` ones that follow them."""

    own: int
    general: int
    ratio: float
    seed: int

    @property
    def each(self) -> int:
        """General examples of an epoch."""
        return round(self.own * self.ratio / (1 - self.ratio)) if self.general else 0

    def rows(self, visit: int) -> list[int]:
        """Indices read in epoch ``visit``, in no particular order."""
        found = list(range(self.own))
        for at in range(visit * self.each, (visit + 1) * self.each):
            cycle, place = divmod(at, self.general)
            found.append(self.own + _order(self.general, f"{self.seed}:{cycle}:replay")[place])
        return found


_orders: dict[tuple[int, str], list[int]] = {}


def _order(count: int, seed: str) -> list[int]:
    if (count, seed) not in _orders:
        _orders.clear()
        order = list(range(count))
        random.Random(seed).shuffle(order)
        _orders[count, seed] = order
    return _orders[count, seed]


def beside(named: str, data: Path) -> Path:
    """A path that a recipe names: as it is, or else seen from the folder that holds ``data``.

    Raises DataError where there is neither.
    """
    for path in (Path(named), data.absolute().parent / named):
        if path.exists():
            return path
    raise DataError(f"{named}: no such file or folder, neither here nor beside {data}")


def general_data(recipe: Recipe, data: Path) -> Data | None:
    """The corpus of ``mix``; None where there is none. Raises RecipeError or DataError."""
    table = recipe.mix
    if not 0 <= table.ratio < 1:
        raise RecipeError(f"mix.ratio = {table.ratio}: it is a share of the examples, from 0 to less than 1")
    if table.ratio and not table.corpus:
        raise RecipeError("mix.ratio is set and mix.corpus is not: name the general data")
    if not table.corpus:
        return None
    # What picks rows of the task's own data says nothing of these.
    whole = attrs.evolve(recipe, data=attrs.evolve(recipe.data, where={}, limit=0, per_class=0, drop=""))
    return read_data(beside(table.corpus, data), whole)


def mixed_texts(task: Task, data: Data, general: Data | None, recipe: Recipe) -> list[str]:
    """Texts a vocabulary is learned from. Raises DataError where the general data has other columns."""
    own = task.texts(data.train, recipe)
    try:
        return own + (task.texts(general.train, recipe) if general is not None else [])
    except DataError as error:
        raise DataError(f"mix.corpus needs the same columns as --data: {error}") from error


def mixed_features(task: Task, data: Data, general: Data, recipe: Recipe) -> tuple[list[Features], Mixer]:
    """Features of the task's rows and, behind them, of the general ones. Raises DataError where those give none."""
    own = len(task.features(data.train))
    # Together, for a task may number its examples.
    every = task.features([*data.train, *general.train])
    if len(every) == own:
        raise DataError(f"{general.source}: no row of mix.corpus gives an example; it needs the same columns as --data")
    return every, Mixer(own, len(every) - own, recipe.mix.ratio, recipe.seed)


def forgetting(metric: str, before: Mapping[str, float], after: Mapping[str, float], greater: bool) -> dict[str, Any]:
    """What run.json says: the metrics on the general validation rows before and after, and how much worse ``metric``
    became (negative: it became better)."""
    worse = before[metric] - after[metric] if greater else after[metric] - before[metric]
    return {"metric": metric, "forgotten": worse, "before": dict(before), "after": dict(after)}


def mix_of(general: Data, mixer: Mixer) -> dict[str, Any]:
    """What run.json says of the general data."""
    return {
        "source": general.source,
        "fingerprint": general.fingerprint,
        "examples": mixer.general,
        "read_each_epoch": mixer.each,
        "share": mixer.each / max(1, mixer.own + mixer.each),
    }


def check_rows(rows: Sequence[Any], source: str) -> None:
    """Raises DataError where there is nothing to measure forgetting on."""
    if not rows:
        raise DataError(f"{source}: no validation rows to measure forgetting on; set mix.measure = false")

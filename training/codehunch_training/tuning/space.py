"""What a search may change: any field of a recipe, with its range or its choices."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from codehunch_training.recipe import Recipe, RecipeError, parse_value

_RANGE = re.compile(r"(?P<low>[^|]+?)\.\.(?P<high>[^|\s]+)(?P<rest>(?:\s+log|\s+step\s+\S+)*)\s*")

DEFAULT = (
    "optimizer.learning_rate=1e-5..1e-3 log",
    "optimizer.weight_decay=0.0..0.1",
    "schedule.warmup=0.0..0.2",
    "regularization.dropout=0.0..0.3",
    "regularization.label_smoothing=0.0..0.1",
)
"""Searched where nothing else is named."""


@attrs.frozen
class Dimension:
    """One field and its values: a range of numbers, or choices."""

    field: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Any) -> Any:
        """A value drawn by an Optuna trial."""
        if self.choices:
            return trial.suggest_categorical(self.field, list(self.choices))
        if self.whole:
            return trial.suggest_int(self.field, self.low, self.high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.field, self.low, self.high, step=self.step, log=self.log)

    def __str__(self) -> str:
        if self.choices:
            texts = (each if isinstance(each, str) else json.dumps(each) for each in self.choices)
            return f"{self.field}={'|'.join(texts)}"
        step = f" step {self.step:g}" if self.step else ""
        return f"{self.field}={self.low}..{self.high}{' log' if self.log else ''}{step}"


def parse_space(texts: Sequence[str], recipe: Recipe) -> tuple[Dimension, ...]:
    """Dimensions of ``FIELD=LOW..HIGH [log] [step N]`` or ``FIELD=a|b|c``.

    Raises RecipeError where one cannot be read, or where the recipe would not take its values.
    """
    found = tuple(_dimension(text) for text in texts)
    names = [each.field for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RecipeError(f"--search {twice}: named twice")
    for each in found:
        for value in each.choices or (each.low, each.high):
            recipe.set(each.field, value)
    return found


def _dimension(text: str) -> Dimension:
    field, sign, values = (part.strip() for part in text.partition("="))
    if not sign or not values:
        raise RecipeError(f"--search {text}: write FIELD=LOW..HIGH, with `log` or `step N` after it, or FIELD=a|b|c")
    if "|" in values:
        choices = tuple(parse_value(value.strip()) for value in values.split("|"))
        if any(isinstance(value, list | dict) for value in choices):
            raise RecipeError(f"--search {text}: choices are single values")
        return Dimension(field, choices=choices)
    found = _RANGE.fullmatch(values)
    if found is None:
        raise RecipeError(f"--search {text}: a range is LOW..HIGH, choices are a|b|c")
    low, high = (parse_value(found[name].strip()) for name in ("low", "high"))
    step = re.search(r"step\s+(\S+)", found["rest"])
    log = "log" in found["rest"]
    numbers = [low, high, *([parse_value(step[1])] if step else [])]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in numbers):
        raise RecipeError(f"--search {text}: {low!r} to {high!r} is no range of numbers")
    if low >= high or (step and not numbers[2] > 0):
        raise RecipeError(f"--search {text}: the range must rise, and so must its step")
    if log and (low <= 0 or step):
        raise RecipeError(f"--search {text}: a logarithmic range begins above 0 and has no step")
    if not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    return Dimension(field, low, high, numbers[2] if step else None, log)


def applied(recipe: Recipe, space: Sequence[Dimension], trial: Any) -> Recipe:
    """The recipe with a value for every dimension."""
    for dimension in space:
        recipe = recipe.set(dimension.field, dimension.suggest(trial))
    return recipe

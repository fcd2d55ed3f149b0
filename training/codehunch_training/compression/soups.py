"""Model soups (Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time"): the weights of several runs from one start, averaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from codehunch_training.data import Row
from codehunch_training.errors import ToolboxError
from codehunch_training.evaluation.meanings import less_is_better
from codehunch_training.run_folder import (
    LoadedRun,
    append_log,
    load_run,
    provenance,
    save_best,
    write_json,
    write_text,
)


class SoupError(ToolboxError):
    """Runs that cannot be averaged; the message says why."""


@attrs.frozen(eq=False)
class Soup:
    """What averaging brought, on one set of rows."""

    metric: str
    greater_is_better: bool
    members: dict[str, dict[str, float]]
    """Run -> its metrics."""
    uniform: dict[str, float]
    """Of the mean of all."""
    greedy: dict[str, float]
    """Of the mean of those that each improved it, the best run first (the paper's recipe 1)."""
    ingredients: list[str]
    gain: float
    """Of the greedy soup over its best member, positive where it is better. On the rows that chose the ingredients it
    is never negative; measure on others to know."""


def average_runs(
    folders: Sequence[Path],
    rows: Callable[[LoadedRun], Sequence[Row]],
    out: Path | None = None,
    metric: str = "",
) -> Soup:
    """Measure each run, their mean, and the greedy soup; write that as a run folder where ``out`` is given.

    Raises SoupError where the runs differ in anything but their weights.
    """
    runs = [load_run(folder) for folder in folders]
    if len(runs) < 2:
        raise SoupError("name at least two runs to average")
    first = runs[0]
    weights = [{name: value.clone() for name, value in run.model.state_dict().items()} for run in runs]
    _check(runs, folders, weights)
    chosen = metric or first.task.selection_metric
    greater = not less_is_better(metric) if metric else first.task.greater_is_better
    measured_rows = list(rows(first))

    def measured(mixed: dict[str, Tensor]) -> dict[str, float]:
        first.model.load_state_dict(mixed)
        return first.task.evaluate(first.model, measured_rows)

    members = {str(folder): measured(each) for folder, each in zip(folders, weights, strict=True)}
    missing = [name for name, each in members.items() if chosen not in each]
    if missing:
        raise SoupError(f"{chosen!r} is not measured; choose from {', '.join(next(iter(members.values())))}")
    order = sorted(range(len(runs)), key=lambda at: members[str(folders[at])][chosen], reverse=greater)
    taken, best = [order[0]], members[str(folders[order[0]])]
    for at in order[1:]:
        tried = measured(mean_weights([weights[each] for each in (*taken, at)]))
        if tried[chosen] >= best[chosen] if greater else tried[chosen] <= best[chosen]:
            taken, best = [*taken, at], tried
    uniform = measured(mean_weights(weights))
    top = members[str(folders[order[0]])][chosen]
    soup = Soup(
        chosen,
        greater,
        members,
        uniform,
        best,
        [str(folders[at]) for at in taken],
        best[chosen] - top if greater else top - best[chosen],
    )
    if out is not None:
        first.model.load_state_dict(mean_weights([weights[at] for at in taken]))
        _write(first, folders[0], soup, out)
    return soup


def mean_weights(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every floating-point entry; others are the first's."""
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def _check(runs: Sequence[LoadedRun], folders: Sequence[Path], weights: Sequence[dict[str, Tensor]]) -> None:
    first = runs[0]
    for run, folder, state in zip(runs[1:], folders[1:], weights[1:], strict=True):
        for what, ours, theirs in (
            ("task", first.task.name, run.task.name),
            ("labels", first.description.get("labels"), run.description.get("labels")),
            ("vocabulary", first.tokenizer.get_vocab(), run.tokenizer.get_vocab()),
            (
                "architecture",
                {name: tuple(value.shape) for name, value in weights[0].items()},
                {name: tuple(value.shape) for name, value in state.items()},
            ),
        ):
            if ours != theirs:
                raise SoupError(f"{folder} has another {what} than {folders[0]}; only runs from one start are averaged")


def _write(run: LoadedRun, source: Path, soup: Soup, out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        raise SoupError(f"{out} is not empty; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    save_best(out, run.task, run.model, run.description)
    recipe = source / "recipe.toml"
    if recipe.is_file():
        write_text(out / "recipe.toml", recipe.read_text(encoding="utf-8"))
    about: dict[str, Any] = json.loads((source / "run.json").read_text(encoding="utf-8"))
    about |= {
        "averaged": {"ingredients": soup.ingredients, "metric": soup.metric, "gain": soup.gain},
        "metrics": soup.greedy,
        "best": {"metric": soup.metric, "value": soup.greedy[soup.metric], "metrics": soup.greedy, "step": 0,
                 "greater_is_better": soup.greater_is_better},
        **provenance(),
    }  # fmt: skip
    write_json(out / "run.json", about)
    append_log(out, {"averaged": len(soup.ingredients), **soup.greedy})

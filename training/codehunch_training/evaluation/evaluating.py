"""``evaluate``: models and rows to one tree of numbers, ready to be written as JSON or drawn as a page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from codehunch_training.data import DataError, Row, read_data, read_rows
from codehunch_training.evaluation.breakdown import breakdowns
from codehunch_training.evaluation.calibration import fit_temperature
from codehunch_training.evaluation.fairness import fairness
from codehunch_training.evaluation.measuring import Measured, Options, measure
from codehunch_training.evaluation.predictions import Predictions
from codehunch_training.evaluation.readers import Sampling, read_answers, read_with_run
from codehunch_training.evaluation.slices import ways
from codehunch_training.evaluation.spread import spreads
from codehunch_training.recipe import Recipe, with_overrides
from codehunch_training.run_folder import RunError, load_run, provenance, read_log

SPLITS = ("test", "valid", "train")
_VALID_ROWS = 2000
"""Enough to fit one temperature."""


@attrs.frozen(eq=False)
class Model:
    """One model to measure: how it is named, how it was made, how it reads rows."""

    path: Path
    about: Mapping[str, Any]
    recipe: Recipe
    read: Callable[[Sequence[Row]], Predictions]


@attrs.frozen(eq=False)
class Evaluation:
    """All numbers, and the predictions they come from (the first model's, or the ensemble's)."""

    tree: dict[str, Any]
    predictions: Predictions


def evaluate(
    models: Sequence[Path],
    data: Path,
    *,
    split: str = "",
    changes: Sequence[str] = (),
    limit: int = 0,
    ensemble: bool = False,
    options: Options | None = None,
    sampling: Sampling | None = None,
) -> Evaluation:
    """Measure runs, bundles or files of answers on the same rows.

    Several models are taken for the same recipe under several seeds: mean and spread of every metric are given, and
    with ``ensemble`` also the metrics of their mean probabilities. ``split``: empty for ``test`` where the data has
    one, else ``valid``, else all rows. ``changes``: recipe fields (columns above all) as ``--set`` takes them.
    Raises DataError, RunError and what loading the models raises.
    """
    options = options or Options()
    opened = [open_model(path, changes, sampling or Sampling()) for path in models]
    rows, chosen = rows_of(opened[0], data, split)
    rows = rows[:limit] if limit else rows
    valid = _valid_rows(data, opened[0].recipe, chosen)
    read = [each.read(rows) for each in opened]
    measured = [
        measure(predictions, attrs.evolve(options, temperature=_temperature(model, valid, predictions, options)))
        for model, predictions in zip(opened, read, strict=True)
    ]
    shown, numbers = read[0], measured[0]
    tree: dict[str, Any] = {
        "data": {"source": str(data), "split": chosen, "rows": len(rows), "fingerprint": fingerprint(rows)},
        "models": [
            {"path": str(model.path), **model.about, "metrics": rounded(found.metrics)}
            for model, found in zip(opened, measured, strict=True)
        ],
        "metrics": rounded(numbers.metrics),
        "threshold": options.threshold,
    }
    if len(opened) > 1:
        spread = spreads([found.metrics for found in measured])
        tree["spread"] = {
            name: {"mean": each.mean, "deviation": each.deviation, "half_width": each.half_width, "values": each.values}
            for name, each in spread.items()
        }
        tree["metrics"] = rounded({name: each.mean for name, each in spread.items()})
        if ensemble:
            from codehunch_training.compression.ensembles import mean_predictions

            shown = mean_predictions(read)
            numbers = measure(shown, options)
            tree["ensemble"] = rounded(numbers.metrics)
    tree["drawn"] = "the ensemble" if "ensemble" in tree else f"the first model, {opened[0].path}"
    tree |= _details(shown, numbers, options)
    tree["learning"] = [{"path": str(model.path), "log": _log(model.path)} for model in opened]
    return Evaluation(tree | {"made_by": provenance()}, shown)


def _details(predictions: Predictions, measured: Measured, options: Options) -> dict[str, Any]:
    texts = [predictions.text(at) for at in range(len(predictions.rows))]
    fair = fairness(predictions, options.threshold, ways(predictions.rows, texts))
    return {
        "intervals": {name: [round(each, 5) for each in pair] for name, pair in measured.intervals.items()},
        "confusion": measured.confusion,
        "points": measured.points,
        "curves": measured.curves,
        "breakdowns": {
            way: [attrs.asdict(group) | {"metrics": rounded(group.metrics)} for group in groups]
            for way, groups in breakdowns(predictions, options.threshold).items()
        },
        "fairness": attrs.asdict(fair) | {"findings": fair.findings} if fair is not None else None,
        "notes": measured.notes,
    }


def open_model(path: Path, changes: Sequence[str], sampling: Sampling) -> Model:
    """A run folder, a bundle, or a table of answers. Raises RunError where it is none of them."""
    if path.is_file():
        recipe = with_overrides(Recipe(), changes)
        return Model(path, {"kind": "answers"}, recipe, lambda rows: read_answers(path, rows, recipe))
    if (path / "manifest.json").is_file():
        from codehunch.bundles.bundle import load_bundle
        from codehunch_training.evaluation.bundle_readers import read_with_bundle

        bundle = load_bundle(path)
        recipe = with_overrides(Recipe(), changes)
        about = {"kind": "bundle", "id": bundle.manifest.id, "version": bundle.manifest.version}
        return Model(path, about, recipe, lambda rows: read_with_bundle(bundle, rows, recipe, sampling))
    if not path.is_dir():
        raise RunError(f"{path}: no such run folder, bundle or table of answers")
    run = load_run(path)
    recipe = with_overrides(run.recipe, changes)
    run.task.recipe = recipe
    for field, name in (("text", "text_name"), ("label", "label_name"), ("target", "target_name")):
        if any(change.startswith(f"data.{field}=") for change in changes):
            setattr(run.task, name, getattr(recipe.data, field))
    summary = _summary(path)
    about = {
        "kind": "run",
        "task": run.task.name,
        **{k: summary[k] for k in ("base", "seed", "parameters") if k in summary},
    }
    return Model(path, about, recipe, lambda rows: read_with_run(run, rows, sampling))


def rows_of(model: Model, data: Path, split: str) -> tuple[list[Row], str]:
    """The rows to measure on, and the name of their split. Rows the model was trained on are never chosen silently."""
    if split == "all":
        return read_rows(data, model.recipe), "all"
    for name in [split] if split else SPLITS[:2]:
        try:
            return read_rows(data, model.recipe, name), name
        except DataError:
            if split:
                raise
    trained_on = _summary(model.path).get("data", {}).get("source")
    if trained_on is not None and Path(trained_on).resolve() == data.resolve():
        return list(read_data(data, model.recipe).valid), "held out"
    return read_rows(data, model.recipe), "all"


def _valid_rows(data: Path, recipe: Recipe, chosen: str) -> list[Row]:
    """Validation rows to fit the temperature on, where they are not what is measured."""
    if chosen != "test":
        return []
    try:
        return read_rows(data, recipe, "valid")[:_VALID_ROWS]
    except DataError:
        return []


def _temperature(model: Model, valid: Sequence[Row], predictions: Predictions, options: Options) -> float | None:
    if options.temperature is not None or not valid or predictions.probabilities is None or predictions.several:
        return options.temperature
    if model.about.get("kind") == "answers":
        return None
    try:
        read = model.read(valid)
    except DataError:
        return None
    assert read.probabilities is not None
    assert read.truth is not None
    return fit_temperature(read.probabilities, read.truth)


def fingerprint(rows: Sequence[Row]) -> str:
    """SHA-256 of rows in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in metrics.items() if np.isfinite(value)}


def _summary(path: Path) -> dict[str, Any]:
    for folder in (path, path.parent):
        file = folder / "run.json"
        if file.is_file():
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return found
    return {}


def _log(path: Path) -> list[dict[str, Any]]:
    """A run's learning curve: loss by step, and the metrics of each evaluation."""
    if not path.is_dir():
        return []
    keep = ("step", "loss")
    return [
        {key: row[key] for key in keep if key in row} if "tokens_per_second" in row else row
        for row in read_log(path)
        if "step" in row
    ]

"""The gate: what is measured, and what does not pass."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.export.parity import Bounds, ParityError, compare_outputs, gate
from codehunch_training.export.subject import Judged, standard_library
from codehunch_training.export.thresholds import FALLBACK, calibration_error, fit, fit_temperature, nll
from codehunch_training.export.toolbox import served_labels


@pytest.mark.parametrize(
    ("expected", "found", "difference", "agreement"),
    [
        ([[4.0, 0.0]], [[4.0, 0.0]], 0.0, 1.0),
        ([[4.0, 0.0]], [[0.0, 4.0]], 0.964, 0.0),
        ([[0.01, 0.0]], [[0.0, 0.01]], 0.005, 1.0),  # A near tie is no other decision.
        ([[[9.0, 0.0], [0.0, 9.0]]], [[[9.0, 0.0], [9.0, 0.0]]], 1.0, 0.5),
    ],
)
def test_differences(expected: Any, found: Any, difference: float, agreement: float) -> None:
    row = compare_outputs([{"logits": np.array(expected)}], [{"logits": np.array(found)}])
    assert row["largest_difference"] == pytest.approx(difference, abs=1e-3)
    assert row["agreement"] == agreement


def report(
    difference: float = 0.01, agreement: float = 0.99, change: float = 0.0, fp32: float = 1e-6
) -> dict[str, Any]:
    row = {"agreement": 1.0, "decisions": 500, "metric_change": 0.0}
    return {
        "examples": 500,
        "metric": "accuracy",
        "pytorch": {"metrics": {"accuracy": 0.6}},
        "onnx_fp32": {**row, "largest_difference": fp32},
        "onnx_int8": {**row, "largest_difference": difference, "agreement": agreement, "metric_change": change},
    }


@pytest.mark.parametrize(
    ("measured", "bounds", "said"),
    [
        (report(), Bounds(), None),
        (report(change=-0.017), Bounds(), None),
        (report(change=0.2), Bounds(), None),
        (report(difference=0.5), Bounds(), "onnx_int8: a probability differs by 0.5, the bound is 0.35"),
        (report(agreement=0.9), Bounds(), "onnx_int8: 90.00% of 500 decisions agree, the bound is 95.00%"),
        (report(change=-0.02), Bounds(), "onnx_int8: accuracy is worse by 0.02, the bound is 0.018"),
        (report(fp32=0.01), Bounds(), "onnx_fp32: a probability differs by 0.01, the bound is 0.002"),
        (report(), Bounds(difference=0.001), "the bound is 0.001"),
    ],
)
def test_the_gate(measured: dict[str, Any], bounds: Bounds, said: str | None) -> None:
    if said is None:
        assert gate(measured, bounds)["bounds"] == attrs.asdict(bounds)
        return
    with pytest.raises(ParityError) as caught:
        gate(measured, bounds)
    assert said in str(caught.value)
    assert len(caught.value.names) == 1


def test_a_loss_is_worse_when_it_grows() -> None:
    measured = report(change=0.2) | {"metric": "loss", "pytorch": {"metrics": {"loss": 2.0}}}
    with pytest.raises(ParityError, match=r"loss is worse by 0\.2, the bound is 0\.06"):
        gate(measured, Bounds())
    gate(measured | {"onnx_int8": {**measured["onnx_int8"], "metric_change": -0.2}}, Bounds())


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6000, 3)) * 2
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in weights])
    given = (logits * temperature).astype(np.float32)
    found = fit_temperature(given, truth)
    assert found == pytest.approx(temperature, rel=0.08)
    assert nll(given, truth, found) <= nll(given, truth, 1.0) + 1e-9
    assert calibration_error(given, truth, found) < 0.03


def test_thresholds_keep_the_budget_of_warnings() -> None:
    rng = np.random.default_rng(1)
    clean = ["def f():\n" + "    x = 1\n" * 9 for _ in range(600)]
    scores = iter(rng.normal(size=(600,)))
    fitted = fit(lambda text: np.array([0.0, next(scores)], dtype=np.float32), [], clean, ("", "made here"))
    assert fitted.temperature == 1.0
    assert fitted.report["clean_lines"] == 6000
    for name, budget in (("low", 0.3), ("medium", 1.0), ("high", 3.0)):
        assert budget - 0.2 <= fitted.alarms_per_kloc[name] <= budget
    assert fitted.thresholds["low"] > fitted.thresholds["medium"] > fitted.thresholds["high"]


def test_without_clean_code_nothing_is_claimed() -> None:
    fitted = fit(lambda text: np.array([0.0, float(len(text))]), [Judged("a", 0), Judged("bb", 1)], [])
    assert fitted.thresholds == FALLBACK
    assert fitted.alarms_per_kloc == {}


def test_clean_code_lies_on_every_machine() -> None:
    texts = standard_library(60)
    assert len(set(texts)) == 60
    assert texts == standard_library(60)
    assert all(text.lstrip().startswith(("def", "async def", "@")) for text in texts)


@pytest.mark.parametrize(
    ("description", "labels", "order"),
    [
        ({"labels": ["0", "1"], "clean": "0"}, ("clean", "defective"), ()),
        ({"labels": ["clean", "a", "b"]}, ("clean", "a", "b"), ()),
        ({"labels": ["bad", "good"], "clean": "good"}, ("clean", "defective"), (1, 0)),
    ],
)
def test_labels_as_they_are_served(
    description: dict[str, Any], labels: tuple[str, ...], order: tuple[int, ...]
) -> None:
    assert served_labels(description) == (labels, order)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"labels": ["c", "java"], "clean": None}, "says that nothing is wrong"),
        ({"labels": ["clean", "b"], "kind": "multi"}, "several labels at once"),
    ],
)
def test_labels_that_cannot_be_served(description: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        served_labels(description)

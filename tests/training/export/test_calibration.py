"""Thresholds on clean code, and weights of the evidence that are fitted or kept."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch.bundles.store import default_bundle
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.export.calibration import ALARM_BUDGETS, calibrate

NAMES = ("width", "height", "depth", "price", "margin", "weight", "speed", "angle")
ROWS = [
    FunctionRow(
        project="made",
        text=f"def clip_{name}({name}, least, most):\n    if {name} < least:\n        return least\n"
        f"    if {name} > most:\n        return most\n    both = [{name}, least]\n    return both[0]\n",
    )
    for name in NAMES
]


def test_weights_that_are_given_stay_and_thresholds_follow_the_rows() -> None:
    bundle = default_bundle("defects")
    assert bundle is not None
    spec = bundle.manifest.defects
    assert spec is not None
    assert spec.confidence
    kept = calibrate(bundle, ROWS, weights=spec.confidence)
    fitted = calibrate(bundle, ROWS)
    assert kept.weights == spec.confidence
    assert fitted.weights != spec.confidence
    assert kept.candidate == fitted.candidate
    for found in (kept, fitted):
        assert list(found.thresholds) == list(ALARM_BUDGETS)
        assert found.thresholds["low"] >= found.thresholds["medium"] >= found.thresholds["high"]
        # Fifty-odd lines have room for no alarm at all.
        assert set(found.alarms_per_kloc.values()) == {0.0}

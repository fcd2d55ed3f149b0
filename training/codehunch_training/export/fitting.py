"""Temperature, confidence and thresholds of a bundle that was made of any subject, fitted on what it holds out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import Manifest
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.export import thresholds
from codehunch_training.export.calibration import calibrate
from codehunch_training.export.held_out import report
from codehunch_training.export.parity import GraphModel
from codehunch_training.export.subject import Subject, standard_library

CLEAN_FUNCTIONS = 400
CLEAN_LINES = 3000
"""With fewer clean lines among the held-out rows, a third of a warning per 1,000 cannot be counted; functions of the
standard library stand in where the model reads Python."""


def calibrated(subject: Subject, bundle: Bundle, manifest: Manifest) -> Manifest:
    """The manifest with temperature, thresholds and what they cost on clean code."""
    assert manifest.defects is not None
    if subject.kind == "joint":
        return _calibrated_joint(subject, bundle, manifest)
    clean = [each.text for each in subject.calibration if each.label == 0]
    source = subject.calibration_source
    if _lines(clean) < CLEAN_LINES and "python" in subject.languages:
        clean, source = standard_library(CLEAN_FUNCTIONS), "Python's standard library"
    sources = subject.calibration_source, source
    fitted = thresholds.fit(_logits_of(subject, bundle), subject.calibration, clean, sources)
    spec = attrs.evolve(
        manifest.defects,
        temperature=fitted.temperature,
        thresholds=fitted.thresholds,
        alarms_per_kloc=fitted.alarms_per_kloc,
    )
    return attrs.evolve(manifest, defects=spec, metrics={**manifest.metrics, "calibration": fitted.report})


def _calibrated_joint(subject: Subject, bundle: Bundle, manifest: Manifest) -> Manifest:
    assert manifest.defects is not None
    texts = [each.text for each in subject.calibration if each.label == 0]
    source = subject.calibration_source
    if _lines(texts) < CLEAN_LINES and "python" in subject.languages:
        texts, source = standard_library(CLEAN_FUNCTIONS), "Python's standard library"
    rows = [FunctionRow(project=source, path="", name="", text=text) for text in texts]
    half = len(rows) // 2
    if half < 2:
        return manifest
    temperature = thresholds.token_temperature(bundle, rows[:half])
    spec = attrs.evolve(manifest.defects, temperature=temperature)
    bundle = write_bundle(bundle.path, attrs.evolve(manifest, defects=spec))
    fitted = calibrate(bundle, rows[:half])
    spec = attrs.evolve(
        spec,
        candidate=fitted.candidate,
        confidence=fitted.weights,
        thresholds=fitted.thresholds,
        alarms_per_kloc=fitted.alarms_per_kloc,
    )
    bundle = write_bundle(bundle.path, attrs.evolve(manifest, defects=spec))
    metrics = {**manifest.metrics, "calibration": {"source": source, "clean_functions": half}}
    return attrs.evolve(manifest, defects=spec, metrics=metrics | {"held_out": report(bundle, rows[half:])})


def _lines(texts: Sequence[str]) -> int:
    return sum(text.count("\n") + 1 for text in texts)


def _logits_of(subject: Subject, bundle: Bundle) -> Any:
    """Logits [labels] of a text's least clean window, through the bundle's own graph and tokenizer."""
    assert bundle.manifest.defects is not None
    graph = GraphModel(bundle.path / bundle.manifest.defects.graph)
    tokenizer = type(subject.tokenizer).from_file(str(bundle.path / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(subject.window, stride=subject.stride)

    def logits_of(text: str) -> NDArray[np.float32]:
        whole = tokenizer.encode(text)
        found = []
        for window in (whole, *whole.overflowing):
            output = graph(torch.tensor([window.ids]))
            logits = output["logits"][0].numpy()
            found.append(logits)
        return min(found, key=lambda each: float(each[0] - each[1:].max()))

    return logits_of

"""Temperature and thresholds of a classifier of texts, from held-out code; the joint model has its own fitting."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch.bundles.bundle import Bundle
from codehunch.inference.classifier import Classifier
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.export.calibration import ALARM_BUDGETS, PRIOR, threshold_for
from codehunch_training.export.subject import Judged

FALLBACK = {"low": 0.9, "medium": 0.7, "high": 0.5}
"""Where there is no clean code to count warnings on; the card says that nothing was measured."""
_COLDEST, _HOTTEST = 0.05, 20.0
_GOLDEN = (5**0.5 - 1) / 2
_BINS = 10


@attrs.frozen
class Fitted:
    """What goes into the manifest."""

    temperature: float
    thresholds: dict[str, float]
    alarms_per_kloc: dict[str, float]
    report: dict[str, Any]


def fit(
    logits_of: Callable[[str], NDArray[np.float32]],
    examples: Sequence[Judged],
    clean: Sequence[str],
    sources: tuple[str, str] = ("", ""),
) -> Fitted:
    """Fit on held-out code.

    ``logits_of`` gives the logits [labels] of a text's least clean window. ``examples`` fit the temperature (Guo et al.
    2017, section 4.2: one number, by the negative log-likelihood); ``clean`` are functions without a defect: the
    thresholds are where they would draw as many warnings per 1,000 lines as each sensitivity may cost. ``sources``
    say where both come from.
    """
    report: dict[str, Any] = {}
    temperature = 1.0
    if len({each.label for each in examples}) > 1:
        logits = np.stack([logits_of(each.text) for each in examples])
        truth = np.array([each.label for each in examples])
        temperature = fit_temperature(logits, truth)
        report |= {
            "examples": len(examples),
            "examples_source": sources[0],
            "nll_before": round(nll(logits, truth, 1.0), 5),
            "nll": round(nll(logits, truth, temperature), 5),
            "calibration_error_before": round(calibration_error(logits, truth, 1.0), 5),
            "calibration_error": round(calibration_error(logits, truth, temperature), 5),
        }
    if not clean:
        return Fitted(temperature, dict(FALLBACK), {}, report)
    scores = np.array([1 - probabilities(logits_of(text)[None], temperature)[0, 0] for text in clean])
    lines = sum(text.rstrip("\n").count("\n") + 1 for text in clean)
    thresholds = {name: threshold_for(scores, lines, budget) for name, budget in ALARM_BUDGETS.items()}
    alarms = {name: round(1000 * float((scores >= least).sum()) / lines, 3) for name, least in thresholds.items()}
    report |= {"clean_functions": len(clean), "clean_lines": lines, "clean_source": sources[1]}
    return Fitted(temperature, thresholds, alarms, report)


def token_temperature(bundle: Bundle, rows: Sequence[FunctionRow], seed: int = 2) -> float:
    """The temperature of a joint model's token head, fitted on one injected defect per function.

    Functions with a defect weigh as in life, one in fifty. The bundle's own temperature must be 1.
    """
    classifier, rng = Classifier(bundle), random.Random(seed)
    index = {name: at for at, name in enumerate(classifier.labels)}
    logs, truth, weights = [], [], []
    for row in rows:
        parsed = parse(row.text)
        node = definition(parsed)
        injected = inject(parsed, node, 1, rng) if node is not None else None
        if injected is None:
            continue
        for found, where, labels, weight in (
            (parsed, node, {}, 1 - PRIOR),
            (injected.parsed, injected.node, injected.labels, PRIOR),
        ):
            lexemes = lexemes_of(found, where)
            # The logarithm of a softmax is the logits up to a constant, which the next softmax takes away.
            logs.append(np.log(np.maximum(classifier.read([lexemes])[0].tokens, 1e-9)))
            kinds = [index.get(labels.get(each.span.start, ""), 0) if each.text else 0 for each in lexemes]
            truth.append(np.array(kinds, dtype=np.int64))
            weights.append(np.full(len(lexemes), weight / len(lexemes)))
    if not logs:
        return 1.0
    return fit_temperature(np.concatenate(logs), np.concatenate(truth), np.concatenate(weights))


def fit_temperature(
    logits: NDArray[np.float32], truth: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """The temperature with the least negative log-likelihood, from 0.05 to 20. Logits are [examples, labels]."""
    low, high = float(np.log(_COLDEST)), float(np.log(_HOTTEST))
    for _ in range(30):  # Golden section: the likelihood has one peak in 1 / temperature.
        one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if nll(logits, truth, float(np.exp(one)), weights) < nll(logits, truth, float(np.exp(other)), weights):
            high = other
        else:
            low = one
    return float(np.exp((low + high) / 2))


def nll(
    logits: NDArray[np.float32],
    truth: NDArray[np.int64],
    temperature: float,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Mean negative log-likelihood in nats, weighted where ``weights`` [examples] are given."""
    found = probabilities(logits, temperature)[np.arange(len(truth)), truth]
    return float(np.average(-np.log(np.maximum(found, 1e-12)), weights=weights))


def calibration_error(logits: NDArray[np.float32], truth: NDArray[np.int64], temperature: float) -> float:
    """Expected calibration error: confidence against accuracy in ten equal bins (Naeini et al. 2015)."""
    found = probabilities(logits, temperature)
    sure, right = found.max(-1), found.argmax(-1) == truth
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [abs(sure[bins == each].mean() - right[bins == each].mean()) * (bins == each).mean() for each in set(bins)]
    return float(sum(gaps))


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Softmax over the last axis of ``logits / temperature``."""
    scaled = logits.astype(np.float64) / temperature
    shifted = np.exp(scaled - scaled.max(-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(-1, keepdims=True)
    return result

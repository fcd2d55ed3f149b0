"""From what the model saw to one calibrated number: logistic regression over the readings of a place and its kind."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

FEATURES = (
    "bias", "suspicion", "sequence", "unmended", "margin", "relief", "options", "named", "agreed", "repeated",
)  # fmt: skip
"""Weights that are fitted, in this order; beside them one per kind, named by ``kind_feature``. Those that a bundle does
not carry are 0: the last three are younger than some."""
_LIMIT = 1e-6


@attrs.frozen
class Evidence:
    """What speaks for and against one flagged place. Probabilities are the model's, after temperature."""

    suspicion: float
    """That the token is wrong."""
    sequence: float
    """That the function is defective."""
    mended: float | None
    """Suspicion of the same place under the best rewrite; ``None`` where no rewrite is known."""
    sequence_mended: float | None
    """That the function is defective under the best rewrite."""
    options: int
    """Rewrites tried: the best of many is good by chance more easily than the best of one."""
    kind: str = ""
    """The likeliest kind: some look alike in clean code far more often than others."""
    named: float = 0.5
    """That the token is wrong in just this way: a suspicion shared by several kinds is worth less."""
    agreed: float = 0.5
    """That the function has a defect of this kind."""
    repeated: int = 1
    """How often the function has the token, this place included: who writes it twice means it."""
    valueless: bool = False
    """Whether the token reads a name that has no value there, whatever runs."""


def kind_feature(kind: str) -> str:
    """Name of the weight that a kind adds."""
    return f"kind:{kind}"


def features(evidence: Evidence) -> dict[str, float]:
    """The regression's inputs, by the names of ``FEATURES`` and ``kind_feature``."""
    before, whole = _logit(evidence.suspicion), _logit(evidence.sequence)
    mended = evidence.mended is not None
    return {
        "bias": 1.0,
        "suspicion": before,
        "sequence": whole,
        "unmended": 0.0 if mended else 1.0,
        "margin": before - _logit(evidence.mended) if evidence.mended is not None else 0.0,
        "relief": whole - _logit(evidence.sequence_mended) if evidence.sequence_mended is not None else 0.0,
        "options": math.log1p(evidence.options),
        "named": _logit(evidence.named),
        "agreed": _logit(evidence.agreed),
        "repeated": math.log(max(1, evidence.repeated)),
        kind_feature(evidence.kind): 1.0,
    }


def confidence(evidence: Evidence, weights: Mapping[str, float]) -> float:
    """Calibrated probability that the place is wrong. Without weights, the plain suspicion.

    The weights doubt a suspicion because clean code draws some. A name without a value is no such guess: released code
    has next to none that are meant, so of it the suspicion counts as it is where the weights make less of it.
    """
    if not weights:
        return evidence.suspicion
    total = sum(weights.get(name, 0.0) * value for name, value in features(evidence).items())
    fitted = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
    return max(fitted, evidence.suspicion) if evidence.valueless else fitted


def _logit(probability: float) -> float:
    kept = min(1.0 - _LIMIT, max(_LIMIT, probability))
    return math.log(kept / (1.0 - kept))

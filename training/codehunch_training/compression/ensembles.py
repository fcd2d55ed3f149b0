"""Several models as one: their probabilities averaged."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from codehunch_training.data import DataError
from codehunch_training.evaluation.localisation import Places
from codehunch_training.evaluation.predictions import Predictions


def mean_predictions(members: Sequence[Predictions]) -> Predictions:
    """The mean probability of each label, and of each place (Lakshminarayanan et al. 2017, "Simple and scalable
    predictive uncertainty estimation using deep ensembles", section 2.4).

    Raises DataError where the members cannot be averaged: other rows, other labels, written text.
    """
    first = members[0]
    if any(each.probabilities is None for each in members) and not all(each.places for each in members):
        raise DataError("only models that give probabilities can be averaged; these write text")
    if any(each.labels != first.labels or len(each.rows) != len(first.rows) for each in members):
        raise DataError("the models have different labels or kept different rows; an ensemble needs the same of all")
    probabilities = [each.probabilities for each in members if each.probabilities is not None]
    return attrs.evolve(
        first,
        probabilities=np.mean(probabilities, axis=0) if len(probabilities) == len(members) else None,
        places={unit: _mean_places([each.places.get(unit, ()) for each in members]) for unit in first.places},
        shown={},
        own={},
    )


def _mean_places(members: Sequence[Sequence[Places]]) -> list[Places]:
    """Places averaged; the first model's alone where the models cut the text differently."""
    found = []
    for each in zip(*members, strict=True):
        same = all(len(other.scores) == len(each[0].scores) for other in each)
        scores = np.mean([other.scores for other in each], axis=0) if same else each[0].scores
        found.append(Places(scores, each[0].wrong))
    return found

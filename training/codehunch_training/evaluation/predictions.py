"""What a model said of rows, whatever kind of model it was: the one shape all measuring starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch_training.data import Row
from codehunch_training.evaluation.localisation import Places

CLEAN_NAMES = ("clean", "0", "false", "no", "good", "benign", "negative", "fixed", "non-vulnerable", "secure")
"""Labels that say that nothing is wrong."""


@attrs.frozen(eq=False, kw_only=True)
class Predictions:
    """Answers for ``rows``; only the parts the model can give are there."""

    task: str
    rows: Sequence[Row]
    text_name: str = "text"
    labels: tuple[str, ...] = ()
    clean: str | None = None
    """The label that says that nothing is wrong; None where no label does."""
    probabilities: NDArray[np.float64] | None = None
    """[rows, labels]"""
    truth: NDArray[np.int64] | None = None
    """[rows]: index of the right label; 0/1 of [rows, labels] where a row may have several."""
    places: Mapping[str, Sequence[Places]] = attrs.field(factory=dict)
    """Unit (``line``, ``token``) -> places of each row."""
    shown: Mapping[str, Sequence[int]] = attrs.field(factory=dict)
    """Sensitivity -> number of warnings a person would see in each row."""
    answers: Sequence[Sequence[str]] = ()
    """[rows][samples]: what was written, the likeliest first."""
    references: Sequence[str] = ()
    language: str = "python"
    own: Mapping[str, float] = attrs.field(factory=dict)
    """Metrics the task measures itself and nothing here does."""

    @property
    def several(self) -> bool:
        return self.truth is not None and self.truth.ndim == 2

    @property
    def scores(self) -> NDArray[np.float64] | None:
        """[rows]: probability that something is wrong; None where no label says that nothing is."""
        if self.probabilities is None or self.clean is None or self.several:
            return None
        return 1.0 - self.probabilities[:, self.labels.index(self.clean)]

    @property
    def defective(self) -> NDArray[np.bool_]:
        """[rows]: whether something is wrong. Only where ``scores`` are."""
        assert self.truth is not None
        assert self.clean is not None
        return self.truth != self.labels.index(self.clean)

    def text(self, at: int) -> str:
        return str(self.rows[at].get(self.text_name) or "")

    def lines(self) -> NDArray[np.int64]:
        """[rows]: lines of each text that are not blank."""
        counts = [sum(1 for line in self.text(at).split("\n") if line.strip()) for at in range(len(self.rows))]
        return np.array(counts, dtype=np.int64)

    def chosen(self, kept: Sequence[int]) -> Predictions:
        """The same for some of the rows."""
        at = np.array(kept, dtype=np.int64)
        return attrs.evolve(
            self,
            rows=[self.rows[i] for i in kept],
            probabilities=None if self.probabilities is None else self.probabilities[at],
            truth=None if self.truth is None else self.truth[at],
            places={unit: [each[i] for i in kept] for unit, each in self.places.items()},
            shown={name: [each[i] for i in kept] for name, each in self.shown.items()},
            answers=[self.answers[i] for i in kept] if self.answers else (),
            references=[self.references[i] for i in kept] if self.references else (),
            own={},
        )


def clean_label(labels: Sequence[str], named: str | None = None) -> str | None:
    """The label that means clean: the one named, or one with a usual name; of two labels without one, the first."""
    if named in labels:
        return named
    usual = [label for label in labels if label.lower() in CLEAN_NAMES]
    if usual:
        return usual[0]
    return labels[0] if len(labels) == 2 else None

"""Tables of a recipe for smaller and steadier models."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class DistillationTable:
    """Learning from a larger model besides the labels."""

    teacher: str = ""
    """A finished run of the same task, with the same labels and vocabulary; empty: none. A ``new:`` student takes the
    vocabulary by ``--base new:roberta:TEACHER/best``."""
    weight: float = 0.5
    """Share of the loss that comes from the teacher's probabilities; the labels have the rest."""
    temperature: float = 2.0
    hidden_weight: float = 0.0
    """Weight of the distance between hidden states, layer by layer; added to the rest."""


@attrs.frozen(kw_only=True)
class AveragingTable:
    """Measuring and keeping an average of the weights instead of the last ones."""

    kind: Literal["none", "ema", "swa"] = "none"
    """``ema``: exponential moving average; ``swa``: the plain mean of the last part of a run (Izmailov et al. 2018)."""
    decay: float = 0.999
    """Of ``ema``: share of the old average kept at each step; less in the first steps."""
    start: float = 0.5
    """Of ``swa``: the share of the run after which it begins."""

"""R-Drop (Liang et al. 2021, R-Drop: Regularized Dropout for Neural Networks): two readings of a batch that differ by
their dropout are both trained and kept alike."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from transformers import PreTrainedModel

from codehunch_training.bases import BaseError
from codehunch_training.losses import symmetric_divergence
from codehunch_training.tasks.specification import Batch, Loss, Task
from codehunch_training.techniques import Technique


class RDrop(Technique):
    """Equation 4 of the paper, with the mean of both cross-entropies instead of their sum, so that the learning rate
    keeps its meaning: ``weight`` (their alpha) times half the symmetric divergence."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def extra_loss(
        self, model: PreTrainedModel, task: Task, batch: Batch, found: Loss, totals: Mapping[str, float]
    ) -> dict[str, Tensor]:
        if found.logits is None:
            raise BaseError(f"R-Drop compares logits, and {task.name} gives none; set regularization.r_drop = 0")
        again = task.loss(model, batch, totals)
        assert again.logits is not None
        parts = {name: 0.5 * (again.parts[name] - value) for name, value in found.parts.items()}
        divergence = symmetric_divergence(found.logits, again.logits, totals.get("items", 1.0))
        return {f"{name}_second": value for name, value in parts.items()} | {"r_drop": self.weight * divergence}

"""Between the weights a training began with and those it led to: WiSE-FT (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").

A few minutes on one repository teach it, and cost some of what was known before. Between the two points lie models that
keep most of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""How much of the way is tried, the whole of it first."""
_ASIDE = 32
"""General examples kept aside that tell what was forgotten."""


class Mixable(Protocol):
    """What is needed of a task."""

    model: nn.Module

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean loss of a batch."""

    def general_validation(self) -> list[dict[str, Tensor]]:
        """Batches of general examples that nothing was learned from, always the same."""


def kept_aside(count: int) -> int:
    """How many of ``count`` general examples are kept aside."""
    return min(_ASIDE, count // 4)


def share_to_keep(learner: Mixable, start: Mapping[str, Tensor], device: torch.device, rise: float) -> float:
    """The largest share of the way that costs no more than a ``rise`` of the general loss; the model is put there.

    The rise is a share of what the loss on general examples was. The model holds the trained weights,
    ``start`` those before. Where even the least share costs more, that one is taken: the judges decide.
    """
    batches = learner.general_validation()
    if not batches:
        return 1.0
    model = learner.model
    trained = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(start)
    model.to(device)
    before = _loss(learner, batches, device)
    for share in SHARES:
        mix(model, start, trained, share)
        if share == SHARES[-1] or _loss(learner, batches, device) <= before * (1 + rise):
            return share
    raise AssertionError("the least share is always taken")


def mix(model: nn.Module, start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float) -> None:
    """Put a model on the way from ``start`` (share 0) to ``trained`` (share 1)."""
    mixed = {}
    for name, end in trained.items():
        begin = start[name].to(end.device)
        mixed[name] = torch.lerp(begin, end, share) if end.is_floating_point() else end
    model.load_state_dict(mixed)


def _loss(learner: Mixable, batches: list[dict[str, Tensor]], device: torch.device) -> float:
    learner.model.eval()
    with torch.inference_mode():
        losses = [float(learner.loss({name: each.to(device) for name, each in batch.items()})) for batch in batches]
    return sum(losses) / len(losses)

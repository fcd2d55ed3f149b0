"""Muon for the matrices inside the blocks, AdamW for embeddings and norms.

Muon: K. Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks". A momentum step is replaced by
its nearest semi-orthogonal matrix, found by a quintic Newton-Schulz iteration. In runs as short as ours it learns
clearly more per token than AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def orthogonal(matrix: Tensor, steps: int = 4) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values end between about 0.7 and 1.2. Shape kept."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    transposed = x.size(0) > x.size(1)
    if transposed:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if transposed else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum with Nesterov look-ahead, orthogonalised; ``scale`` of a group adapts to its initialisation."""

    def __init__(self, groups: Iterable[dict[str, object]], lr: float, momentum: float = 0.95) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "scale": 1.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                buffer = state["momentum"]
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(buffer, group["momentum"]))
                shape = max(1.0, parameter.size(0) / parameter.size(1)) ** 0.5
                parameter.add_(update, alpha=-group["lr"] * group["scale"] * shape)


def optimizers(model: nn.Module, matrix_lr: float, vector_lr: float, d_kv: int) -> tuple[Muon, torch.optim.AdamW]:
    """T5 folds the softmax scale 1/sqrt(d_kv) into the query matrices, so those take steps smaller by that factor."""
    queries, matrices, rest = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and not any(part in name for part in ("shared", "relative_attention_bias", "lm_head")):
            (queries if name.endswith(".q.weight") else matrices).append(parameter)
        else:
            rest.append(parameter)
    muon = Muon([{"params": matrices}, {"params": queries, "scale": d_kv**-0.5}], lr=matrix_lr)
    return muon, torch.optim.AdamW(rest, lr=vector_lr, betas=(0.9, 0.95), weight_decay=0.0)

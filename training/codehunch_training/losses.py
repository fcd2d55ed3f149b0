"""Losses over labelled places, summed and divided by a total that may span several batches and processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from codehunch_training.recipe import Recipe


def single_label(logits: Tensor, labels: Tensor, total: float, recipe: Recipe, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of [items, classes] against [items], label-smoothed, class-weighted or focal as the recipe says,
    summed and divided by ``total``. Focal: Lin et al. 2017, equation 4 (times (1 - p)^gamma)."""
    logits = logits.float()
    smoothing = recipe.regularization.label_smoothing
    each = F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing, reduction="none")
    if recipe.objective.loss == "focal":
        p = logits.softmax(-1).gather(-1, labels[:, None])[:, 0]
        each = each * (1 - p) ** recipe.objective.gamma
    return each.sum() / max(total, 1.0)


def multi_label(logits: Tensor, targets: Tensor, total: float, recipe: Recipe, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of [items, labels] against 0/1 of the same shape, the mean over labels summed over items
    and divided by ``total``. ``weights`` [labels] multiply the positives."""
    logits, targets = logits.float(), targets.float()
    smoothing = recipe.regularization.label_smoothing
    smoothed = targets * (1 - smoothing) + 0.5 * smoothing
    each = F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights, reduction="none")
    if recipe.objective.loss == "focal":
        p = torch.sigmoid(logits)
        each = each * torch.where(targets > 0, 1 - p, p) ** recipe.objective.gamma
    return each.mean(-1).sum() / max(total, 1.0)


def balanced_weights(counts: Tensor) -> Tensor:
    """Weight of each class so that all weigh alike in sum and the mean weight of an item is 1; absent classes get 0."""
    present = counts > 0
    share = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, share, torch.zeros_like(share))


def symmetric_divergence(first: Tensor, second: Tensor, total: float) -> Tensor:
    """Half the sum of both Kullback-Leibler divergences between two readings [items, classes], over ``total``."""
    p, q = first.float().log_softmax(-1), second.float().log_softmax(-1)
    both = F.kl_div(p, q, log_target=True, reduction="sum") + F.kl_div(q, p, log_target=True, reduction="sum")
    return 0.5 * both / max(total, 1.0)

"""One vector per text from any encoder, trained by contrast: for code search and clone pairs.

Both sides of a pair go through one encoder (as in UniXcoder, Guo et al. 2022); the other pairs of the batch
are the negatives (InfoNCE, van den Oord et al. 2018), read in both directions (CLIP, Radford et al. 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

POOLINGS = ("mean", "cls", "last")
"""``mean`` over real tokens, the first token (BERT's and RoBERTa's), or the last real one (decoders)."""


def pool(hidden: Tensor, attention_mask: Tensor, how: str) -> Tensor:
    """Vectors [batch, hidden] of unit length from hidden states [batch, tokens, hidden]; padding has no say."""
    if how == "cls":
        vectors = hidden[:, 0]
    elif how == "last":
        place = torch.arange(attention_mask.shape[1], device=hidden.device)
        last = torch.where(attention_mask > 0, place, 0).argmax(dim=1)
        vectors = hidden[torch.arange(len(hidden), device=hidden.device), last]
    elif how == "mean":
        kept = attention_mask.unsqueeze(-1).to(hidden.dtype)
        vectors = (hidden * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1.0)
    else:
        raise ValueError(f"pooling {how!r}: choose one of {', '.join(POOLINGS)}")
    return F.normalize(vectors.float(), dim=-1)


def contrastive_loss(anchors: Tensor, positives: Tensor, groups: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE of unit vectors [pairs, hidden], a scalar in nats.

    ``groups`` [pairs]: pairs of one group answer the same question, so they are no negatives of each other.
    """
    scores = anchors @ positives.T / temperature
    own = torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
    twins = (groups[:, None] == groups[None, :]) & ~own
    scores = scores.masked_fill(twins, torch.finfo(scores.dtype).min)
    labels = torch.arange(len(anchors), device=anchors.device)
    return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2


def pair_loss(anchors: Tensor, positives: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Contrastive loss on labelled pairs (Hadsell et al. 2006): clones (label 1) move together, others (0) at
    least ``margin`` apart in cosine distance."""
    distance = 1.0 - (anchors * positives).sum(dim=-1)
    same = labels.to(distance.dtype)
    return (same * distance.square() + (1 - same) * F.relu(margin - distance).square()).mean()


def retrieval(anchors: Tensor, positives: Tensor, groups: Tensor, left_out: Tensor | None = None) -> dict[str, float]:
    """Mean reciprocal rank and recall at 1 and 10 of each anchor's answers among all ``positives``.

    Any positive of the anchor's group is right; ties count against the model. ``left_out`` [anchors, positives]
    marks what no anchor may be answered with, such as itself.
    """
    scores = anchors @ positives.T
    if left_out is not None:
        scores = scores.masked_fill(left_out, -torch.inf)
    right = groups[:, None] == groups[None, :]
    right = right if left_out is None else right & ~left_out
    best = scores.masked_fill(~right, -torch.inf).max(dim=1).values
    ranks = 1 + ((scores >= best[:, None]) & ~right).sum(dim=1).float()
    return {
        "mrr": float((1 / ranks).mean()),
        "recall_at_1": float((ranks <= 1).float().mean()),
        "recall_at_10": float((ranks <= 10).float().mean()),
    }


def pair_scores(likeness: Tensor, labels: Tensor) -> dict[str, float]:
    """ROC-AUC of labelled pairs by their likeness [pairs], the best F1 of any cut, and that cut.

    The cut is chosen on these same pairs: for a test, carry the validation cut over.
    """
    order = likeness.argsort(descending=True)
    truth = labels[order].bool()
    positives, negatives = int(truth.sum()), int((~truth).sum())
    found = truth.cumsum(0).float()
    # A cut cannot split equal scores.
    whole = torch.ones(len(truth), dtype=torch.bool)
    whole[:-1] = likeness[order][:-1] != likeness[order][1:]
    count = torch.arange(1, len(truth) + 1)
    f1 = torch.where(whole, 2 * found / (count + positives), torch.zeros(()))
    at = int(f1.argmax())
    above = (likeness[labels.bool()][:, None] > likeness[~labels.bool()][None, :]).float()
    equal = (likeness[labels.bool()][:, None] == likeness[~labels.bool()][None, :]).float()
    area = float((above + equal / 2).mean()) if positives and negatives else float("nan")
    return {"roc_auc": area, "f1": float(f1[at]), "threshold": float(likeness[order][at])}

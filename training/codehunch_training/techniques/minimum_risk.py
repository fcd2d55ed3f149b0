"""Minimum-risk training on sentence BLEU beside cross-entropy (Shen et al. 2016, "Minimum Risk Training for
Neural Machine Translation", section 3).

For each source the model samples candidates. Their probabilities, sharpened by ``alpha`` and normalised over
the sample, weigh their risk ``1 - BLEU``: the gradient moves probability to what resembles the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

IGNORED = -100


@attrs.frozen
class Risk:
    """``loss`` is the mean expected risk, between 0 and 1; ``expected_bleu`` its complement without gradient."""

    loss: Tensor
    expected_bleu: float
    distinct: float
    """Different candidates per source: at 1 there is nothing to choose from and no gradient."""


def sentence_bleu(candidate: str, reference: str) -> float:
    """Sentence BLEU between 0 and 1 by sacrebleu, smoothed (exp), with the n-gram order a short text allows."""
    return float(_scorer().sentence_score(candidate, [reference]).score) / 100


@cache
def _scorer() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True, smooth_method="exp", tokenize="13a")


def sequence_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of each label sequence, [rows], from logits [rows, tokens, vocabulary]; -100 is skipped."""
    kept = labels != IGNORED
    each = F.log_softmax(logits.float(), dim=-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (each * kept).sum(dim=-1)


def expected_risk(log_probabilities: Tensor, risks: Tensor, kept: Tensor, alpha: float) -> Tensor:
    """Risk of each source, [sources], under the sharpened distribution over its candidates.

    All arguments are [sources, candidates]; ``kept`` is false for a candidate seen before.
    """
    scores = (alpha * log_probabilities).masked_fill(~kept, -torch.inf)
    return (scores.softmax(dim=-1) * risks).sum(dim=-1)


def sample_candidates(
    model: PreTrainedModel, inputs: dict[str, Tensor], count: int, max_new_tokens: int, temperature: float = 1.0
) -> Tensor:
    """Sampled label sequences, [sources * count, tokens], padded with -100, ``count`` in a row per source.

    The start token is taken off and what follows the first end of sequence is padding. Dropout is off.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            produced = model.generate(
                **inputs,
                do_sample=True,
                top_k=0,
                top_p=1.0,
                num_beams=1,
                temperature=temperature,
                num_return_sequences=count,
                max_new_tokens=max_new_tokens,
            )
    finally:
        model.train(training)
    labels = produced[:, 1:]
    end = model.generation_config.eos_token_id
    ends = torch.isin(labels, torch.as_tensor(end, device=labels.device))
    after = ends.cumsum(dim=1) - ends.long() > 0
    return labels.masked_fill(after, IGNORED)


def minimum_risk(
    model: PreTrainedModel,
    inputs: dict[str, Tensor],
    references: Sequence[str],
    decode: Callable[[Sequence[int]], str],
    *,
    gold: Tensor | None = None,
    candidates: int = 8,
    alpha: float = 0.05,
    max_new_tokens: int = 64,
    score: Callable[[str, str], float] = sentence_bleu,
) -> Risk:
    """Expected risk of a batch of an encoder-decoder.

    ``inputs`` holds ``input_ids`` and ``attention_mask`` [sources, tokens]; ``decode`` turns label ids into
    text. With ``gold`` labels [sources, tokens] the reference joins the candidates, as in the paper (3.2).
    """
    sources = len(references)
    sampled = sample_candidates(model, inputs, candidates, max_new_tokens)
    labels = sampled.view(sources, candidates, -1)
    if gold is not None:
        width = max(labels.shape[-1], gold.shape[-1])
        labels = torch.cat((_wide(gold.unsqueeze(1), width), _wide(labels, width)), dim=1)
    each = labels.shape[1]
    risks, kept = torch.zeros(sources, each), torch.zeros(sources, each, dtype=torch.bool)
    for row in range(sources):
        seen: set[tuple[int, ...]] = set()
        for column in range(each):
            ids = tuple(int(token) for token in labels[row, column] if token != IGNORED)
            if ids not in seen:
                seen.add(ids)
                kept[row, column] = True
                risks[row, column] = 1.0 - score(decode(ids), references[row])
    repeated = {name: value.repeat_interleave(each, dim=0) for name, value in inputs.items()}
    flat = labels.reshape(sources * each, -1)
    logits = model(**repeated, labels=flat).logits
    log_probabilities = sequence_log_probabilities(logits, flat).view(sources, each)
    risks, kept = risks.to(log_probabilities.device), kept.to(log_probabilities.device)
    loss = expected_risk(log_probabilities, risks, kept, alpha).mean()
    return Risk(loss, 1.0 - float(loss.detach()), float(kept.sum()) / sources)


def _wide(labels: Tensor, width: int) -> Tensor:
    return F.pad(labels, (0, width - labels.shape[-1]), value=IGNORED)

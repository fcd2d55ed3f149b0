"""``new:ngrams``: a text as the hashed n-grams of its tokens, and one linear layer over them.

The lines of fastText (Joulin et al. 2016, Bag of Tricks for Efficient Text Classification) and of hashing (Weinberger
et al. 2009), with the weights of TF-IDF: each n-gram counts 1 + log(its uses in the text), times its inverse document
frequency among the training rows, and a row has length 1. Everything is computed from the token ids inside the graph.
Where rows are few, noisy and long it beats a small transformer from nothing, and reads a row in no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

KIND = "codehunch-ngrams"
_MULTIPLIER, _PRIME = 1_000_003, (1 << 31) - 1
"""Of the polynomial hash; products stay below 2 ** 63."""


class NgramsConfig(PretrainedConfig):
    """``buckets``: rows of the table all n-grams share. ``order``: tokens of the longest n-gram."""

    model_type = KIND

    def __init__(
        self, vocab_size: int = 10_000, buckets: int = 1 << 18, order: int = 3, max_position_embeddings: int = 2048,
        hidden_dropout_prob: float = 0.0, pad_token_id: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.vocab_size, self.buckets, self.order = vocab_size, buckets, order
        self.max_position_embeddings, self.hidden_dropout_prob = max_position_embeddings, hidden_dropout_prob
        super().__init__(pad_token_id=pad_token_id, **kwargs)


class NgramsForSequenceClassification(PreTrainedModel):
    """Logits [batch, labels] of token ids. ``hidden_dropout_prob`` leaves out n-grams while training."""

    config_class = NgramsConfig
    main_input_name = "input_ids"
    base_model_prefix = "ngrams"

    def __init__(self, config: NgramsConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.zeros(config.buckets, config.num_labels))
        self.bias = nn.Parameter(torch.zeros(config.num_labels))
        self.register_buffer("inverse_frequency", torch.ones(config.buckets))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """A linear model begins at zero."""

    def hashed(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Buckets [batch, order * tokens] in rising order, and the uses of each at its first place, 0 elsewhere.

        Places that hold no n-gram have the bucket ``config.buckets``.
        """
        order, length = self.config.order, input_ids.shape[1]
        ids, real = F.pad(input_ids, (0, order)), F.pad(attention_mask, (0, order)).bool()
        value = torch.zeros_like(input_ids)
        found = []
        for size in range(order):
            token, there = ids[:, size : size + length], real[:, size : size + length]
            value = (value * _MULTIPLIER + token + 1) % _PRIME
            found.append(torch.where(there, value % self.config.buckets, self.config.buckets))
        buckets = torch.cat(found, 1).sort(dim=1).values
        first = torch.cat([torch.ones_like(buckets[:, :1]), (buckets[:, 1:] != buckets[:, :-1]).long()], 1)
        group = first.cumsum(1) - 1
        uses = torch.zeros_like(buckets).scatter_add(1, group, torch.ones_like(buckets)).gather(1, group)
        return buckets, uses * first * (buckets < self.config.buckets)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any) -> SequenceClassifierOutput:
        """``input_ids`` and ``attention_mask`` [batch, tokens]."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        with torch.no_grad():
            buckets, uses = self.hashed(input_ids, mask)
            buckets = buckets.clamp(max=self.config.buckets - 1)
            known = uses > 0
            weight = known * (1 + uses.clamp(min=1).float().log()) * self.inverse_frequency[buckets]
            weight = weight / weight.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
        weight = F.dropout(weight, self.config.hidden_dropout_prob, self.training)
        logits = (weight[:, :, None] * F.embedding(buckets, self.weight)).sum(1) + self.bias
        return SequenceClassifierOutput(logits=logits)

    @torch.no_grad()
    def learn_frequencies(self, rows: Iterable[Sequence[int]]) -> None:
        """Set the inverse document frequencies, log((1 + rows) / (1 + rows with it)) + 1, from rows of token ids.

        What only one row has says nothing of others, and gets 0.
        """
        seen = torch.zeros(self.config.buckets)
        count = 0
        for ids in rows:
            row = torch.tensor([list(ids)])
            buckets, uses = self.hashed(row, torch.ones_like(row))
            seen[buckets[uses > 0]] += 1
            count += 1
        self.inverse_frequency.copy_((((1 + count) / (1 + seen)).log() + 1) * (seen > 1))


AutoConfig.register(KIND, NgramsConfig, exist_ok=True)
AutoModelForSequenceClassification.register(NgramsConfig, NgramsForSequenceClassification, exist_ok=True)

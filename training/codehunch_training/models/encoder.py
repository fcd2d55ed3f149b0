"""The defect model: a RoBERTa-style encoder with a head on ``<s>`` and a head on every token.

Tokens, special ids and heads are RoBERTa's (Liu et al. 2019); the body differs where small models
trained from nothing gain most: norms before the sublayers, rotary positions (Su et al. 2021), gated
feed-forward, and three uses of one extra integer per token, the identifier it belongs to: an embedding
of the identifier's order of appearance, embeddings of how often it is used in all and up to here, and a
learned attention bias between tokens of the same identifier (after Hellendoorn et al. 2020, GREAT), zero
at the start. A model with ``standings`` is also told how each name stands in the file
(``codehunch.defects.surroundings``), in an embedding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from codehunch.inference.encoding import STANDINGS_FROM

IGNORED = -100
"""Label of tokens that carry none."""

MOST_USES = 7
"""Uses of an identifier are counted up to here."""

BIAS_SCALE = 4.0
"""The attention bias is this times its weight, so that one learning rate moves both fast enough."""


class DefectConfig(PretrainedConfig):
    """Sizes and labels of the defect model."""

    model_type = "codehunch-defects"

    def __init__(
        self,
        vocab_size: int = 10_000,
        hidden_size: int = 256,
        num_hidden_layers: int = 6,
        num_attention_heads: int = 4,
        intermediate_size: int = 704,
        identifier_slots: int = 64,
        standings: int = 0,
        hidden_dropout_prob: float = 0.0,
        rope_theta: float = 10_000.0,
        token_labels: list[str] | None = None,
        pad_token_id: int = 1,
        bos_token_id: int = 0,
        eos_token_id: int = 2,
        initializer_range: float = 0.02,
        **kwargs: object,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.identifier_slots = identifier_slots
        self.standings = standings
        self.hidden_dropout_prob = hidden_dropout_prob
        self.rope_theta = rope_theta
        self.token_labels = token_labels or ["clean", "defective-function"]
        self.initializer_range = initializer_range
        super().__init__(pad_token_id=pad_token_id, bos_token_id=bos_token_id, eos_token_id=eos_token_id, **kwargs)


@dataclass
class DefectOutput(ModelOutput):
    """``logits`` [batch, labels] of ``<s>``, ``token_logits`` [batch, tokens, labels]."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    token_logits: Tensor | None = None


def rotary(length: int, dim: int, theta: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [length, dim]."""
    frequencies = 1.0 / theta ** (torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies[None, :]
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions to [batch, heads, tokens, dim]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def occurrences(identifier_ids: Tensor) -> tuple[Tensor, Tensor]:
    """How often each token's identifier stands in the window, and how often up to here; both
    [batch, tokens], at most ``MOST_USES``, 0 outside identifiers. A name that is written and never read,
    or read once more than its siblings, is what variable misuse looks like.

    Tokens of one lexeme are neighbours with one number, and no two identifiers touch in code: where the
    number changes, a new use begins.
    """
    before = F.pad(identifier_ids[:, :-1], (1, 0))
    begins = (identifier_ids > 0) & (identifier_ids != before)
    same = (identifier_ids[:, :, None] == identifier_ids[:, None, :]) & begins[:, None, :]
    same = same & (identifier_ids > 0)[:, :, None]
    place = torch.arange(identifier_ids.shape[1], device=identifier_ids.device)
    so_far = same & (place[None, :] <= place[:, None])
    return same.sum(-1).clamp(max=MOST_USES), so_far.sum(-1).clamp(max=MOST_USES)


class Layer(nn.Module):
    """Attention and a gated feed-forward, each behind its norm."""

    def __init__(self, config: DefectConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads, self.dim = config.num_attention_heads, size // config.num_attention_heads
        self.attention_norm = nn.LayerNorm(size, bias=False)
        self.qkv = nn.Linear(size, 3 * size, bias=False)
        self.output = nn.Linear(size, size, bias=False)
        self.same_identifier = nn.Parameter(torch.zeros(self.heads))
        self.feed_norm = nn.LayerNorm(size, bias=False)
        self.gate_up = nn.Linear(size, 2 * config.intermediate_size, bias=False)
        self.down = nn.Linear(config.intermediate_size, size, bias=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, mask: Tensor, same: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = self.qkv(self.attention_norm(x)).split(x.shape[-1], dim=-1)
        x = x + self.dropout(self.output(self.attend(q, k, v, mask, same, cos, sin)))
        gate, up = self.gate_up(self.feed_norm(x)).split(self.down.in_features, dim=-1)
        return x + self.dropout(self.down(F.gelu(gate, approximate="tanh") * up))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, same: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attention of all heads, [batch, tokens, hidden] as ``q``, ``k`` and ``v`` are."""
        batch, length, size = q.shape
        q, k, v = (each.view(batch, length, self.heads, self.dim).transpose(1, 2) for each in (q, k, v))
        q, k = rotate(q, cos.to(q.dtype), sin.to(q.dtype)), rotate(k, cos.to(k.dtype), sin.to(k.dtype))
        bias = mask + same * self.same_identifier.view(1, -1, 1, 1)
        scores = torch.matmul(q, k.transpose(-1, -2)) * self.dim**-0.5 + bias.to(q.dtype)
        return torch.matmul(scores.softmax(dim=-1), v).transpose(1, 2).reshape(batch, length, size)


class DefectModel(PreTrainedModel):
    """Encoder, sequence head, token head. ``originals_loss`` adds the repair signal while training."""

    config_class = DefectConfig
    main_input_name = "input_ids"

    def __init__(self, config: DefectConfig) -> None:
        super().__init__(config)
        size, labels = config.hidden_size, len(config.token_labels)
        self.words = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        self.identifiers = nn.Embedding(config.identifier_slots, size)
        self.uses = nn.Embedding(MOST_USES + 1, size)
        self.ranks = nn.Embedding(MOST_USES + 1, size)
        if config.standings:
            self.standings = nn.Embedding(config.standings, size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(size, bias=False)
        self.sequence_dense = nn.Linear(size, size)
        self.sequence_out = nn.Linear(size, labels)
        self.token_dense = nn.Linear(size, size)
        self.token_out = nn.Linear(size, labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.data.normal_(0.0, self.config.initializer_range)
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.data.zero_()

    def encode(self, input_ids: Tensor, attention_mask: Tensor, identifier_ids: Tensor) -> Tensor:
        """Hidden states [batch, tokens, hidden]."""
        told = self.config.standings > 0
        if told:
            standing = torch.div(identifier_ids, STANDINGS_FROM, rounding_mode="trunc")
            identifier_ids = identifier_ids - standing * STANDINGS_FROM
        slots = self.config.identifier_slots - 1
        order = torch.where(identifier_ids > 0, (identifier_ids - 1) % slots + 1, torch.zeros_like(identifier_ids))
        uses, ranks = occurrences(identifier_ids)
        x = self.words(input_ids) + self.identifiers(order) + self.uses(uses) + self.ranks(ranks)
        if told:
            x = x + self.standings(standing)
        kept = attention_mask[:, None, None, :].to(x.dtype)
        mask = (1.0 - kept) * -1e4
        same = (identifier_ids[:, None, :, None] == identifier_ids[:, None, None, :]) & (identifier_ids > 0)[
            :, None, :, None
        ]
        # Other uses only: a token's attention to itself is not what the bias is to learn.
        own = torch.arange(input_ids.shape[1], device=input_ids.device)
        same = (same & (own[:, None] != own[None, :])).to(x.dtype) * BIAS_SCALE
        dim = self.config.hidden_size // self.config.num_attention_heads
        cos, sin = rotary(input_ids.shape[1], dim, self.config.rope_theta, input_ids.device)
        for layer in self.layers:
            x = layer(x, mask, same, cos, sin)
        return self.norm(x)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        identifier_ids: Tensor,
        token_labels: Tensor | None = None,
        sequence_targets: Tensor | None = None,
        originals: Tensor | None = None,
        token_weight: float = 8.0,
        sequence_weight: float = 0.2,
        originals_weight: float = 0.3,
    ) -> DefectOutput:
        """``token_labels`` [batch, tokens], -100 where unlabelled; ``sequence_targets`` [batch, labels], each
        row a distribution; ``originals`` [batch, tokens]: token ids that stood at defects, else -100."""
        hidden = self.encode(input_ids, attention_mask, identifier_ids)
        logits = self.sequence_out(torch.tanh(self.sequence_dense(hidden[:, 0])))
        loss: Tensor | None = None
        if token_labels is not None:
            # Heads run on labelled tokens only: a third of all, and the rest would carry no gradient.
            chosen = token_labels.view(-1) != IGNORED
            states = hidden.reshape(-1, hidden.shape[-1])[chosen]
            picked = self.token_out(F.gelu(self.token_dense(states))).float()
            # Few tokens are wrong, so their mean loss is small; the weight keeps the other two from drowning it.
            loss = token_weight * F.cross_entropy(picked, token_labels.view(-1)[chosen])
            if sequence_targets is not None:
                loss = loss + sequence_weight * F.cross_entropy(logits.float(), sequence_targets)
            if originals is not None and (known := originals.view(-1) != IGNORED).any():
                guesses = F.linear(hidden.reshape(-1, hidden.shape[-1])[known], self.words.weight).float()
                loss = loss + originals_weight * F.cross_entropy(guesses, originals.view(-1)[known])
            return DefectOutput(loss=loss, logits=logits, token_logits=picked)
        return DefectOutput(logits=logits, token_logits=self.token_out(F.gelu(self.token_dense(hidden))))

"""The joint defect model on any encoder: a head on ``<s>``, a head on every token, structure as an option."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from codehunch_training.models.encoder import DefectConfig, DefectModel, DefectOutput
from codehunch_training.models.structure import RELATIONS, Occurrence, StructureBias, relations

LAYERED = ("roberta", "bert", "xlm-roberta", "camembert", "electra")
"""Kinds whose embeddings and layers can be called one by one, which a bias in each layer needs."""


class JointConfig(PretrainedConfig):
    """The body's own config, the labels, and what structure is read."""

    model_type = "codehunch-joint"

    def __init__(
        self,
        body: dict[str, Any] | None = None,
        token_labels: list[str] | None = None,
        structure: str = "none",
        occurrence: bool = False,
        assign_ids: list[int] | None = None,
        head_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.body = body or {}
        self.token_labels = token_labels or ["clean", "defective-function"]
        self.structure, self.occurrence = structure, occurrence
        self.assign_ids = assign_ids or [-1]
        self.head_dropout = head_dropout
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        return int(self.body.get("vocab_size", 0))

    def body_config(self) -> PretrainedConfig:
        values = {key: value for key, value in self.body.items() if key != "model_type"}
        return AutoConfig.for_model(self.body["model_type"], **values)


def fresh_heads(model: nn.Module) -> None:
    """Begin both heads with weights of 1 / sqrt(hidden size).

    With RoBERTa's 0.02 two layers of a small model begin so flat that twins, which differ in a token, have one score;
    the gradient of their margin vanishes with that difference, and for many epochs the contrast changes nothing.
    """
    for head in (model.sequence_dense, model.sequence_out, model.token_dense, model.token_out):
        nn.init.normal_(head.weight, std=head.in_features**-0.5)
        nn.init.zeros_(head.bias)


class JointModel(PreTrainedModel):
    """Inputs and outputs are the default defect model's, so that both export to one kind of graph."""

    config_class = JointConfig
    base_model_prefix = "body"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: JointConfig, body: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        inner = config.body_config()
        if body is None:
            inner._attn_implementation = "eager"
            body = AutoModel.from_config(
                inner, **({"add_pooling_layer": False} if inner.model_type in LAYERED[:4] else {})
            )
        self.body = body
        size, labels = inner.hidden_size, len(config.token_labels)
        kinds = RELATIONS[config.structure]
        if kinds:
            self.structure = StructureBias(inner.num_hidden_layers, inner.num_attention_heads, kinds)
        if config.occurrence:
            self.occurrence = Occurrence(size)
        self.dropout = nn.Dropout(config.head_dropout)
        self.sequence_dense = nn.Linear(size, size)
        self.sequence_out = nn.Linear(size, labels)
        self.token_dense = nn.Linear(size, size)
        self.token_out = nn.Linear(size, labels)
        fresh_heads(self)
        self.register_buffer("assign_ids", torch.tensor(config.assign_ids), persistent=False)

    def _init_weights(self, module: nn.Module) -> None:
        """Each part sets its own weights."""

    def get_input_embeddings(self) -> nn.Module:
        return self.body.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.body.set_input_embeddings(value)

    def encode(self, input_ids: Tensor, attention_mask: Tensor, identifier_ids: Tensor) -> Tensor:
        """Hidden states [batch, tokens, hidden]; without structure, the body's own."""
        if self.config.structure == "none" and not self.config.occurrence:
            return self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        hidden = self.body.embeddings(input_ids=input_ids)
        if self.config.occurrence:
            hidden = hidden + self.occurrence(identifier_ids).to(hidden.dtype)
        mask = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * -1e4
        kinds = RELATIONS[self.config.structure]
        if kinds:
            assigns = (input_ids[:, :, None] == self.assign_ids).any(-1)
            edges = relations(identifier_ids, assigns, kinds)
        if hasattr(self.body, "embeddings_project"):
            hidden = self.body.embeddings_project(hidden)
        for number, layer in enumerate(self.body.encoder.layer):
            bias = mask + self.structure(number, edges).to(hidden.dtype) if kinds else mask
            found = layer(hidden, bias)
            hidden = found[0] if isinstance(found, tuple) else found
        return hidden

    def forward(self, input_ids: Tensor, attention_mask: Tensor, identifier_ids: Tensor) -> DefectOutput:
        """Logits of ``<s>`` [batch, labels] and of every token [batch, tokens, labels]."""
        hidden = self.encode(input_ids, attention_mask, identifier_ids)
        first = self.dropout(torch.tanh(self.sequence_dense(self.dropout(hidden[:, 0]))))
        each = self.dropout(F.gelu(self.token_dense(hidden)))
        return DefectOutput(logits=self.sequence_out(first), token_logits=self.token_out(each))


AutoConfig.register(JointConfig.model_type, JointConfig, exist_ok=True)
AutoModel.register(JointConfig, JointModel, exist_ok=True)
AutoConfig.register(DefectConfig.model_type, DefectConfig, exist_ok=True)
AutoModel.register(DefectConfig, DefectModel, exist_ok=True)

"""An encoder with the heads of pre-training: masked tokens, next segment, replaced tokens, injected defects."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel


class Heads(nn.Module):
    """One small head an objective; ``dense`` is shared by none, as each reads the states for another thing."""

    def __init__(self, size: int, names: dict[str, int]) -> None:
        super().__init__()
        self.dense = nn.ModuleDict({name: nn.Linear(size, size) for name in names})
        self.out = nn.ModuleDict({name: nn.Linear(size, classes) for name, classes in names.items()})
        for layer in (*self.dense.values(), *self.out.values()):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, name: str, states: Tensor) -> Tensor:
        """[..., classes] from [..., hidden]."""
        return self.out[name](F.gelu(self.dense[name](states)))


class PretrainingModel(PreTrainedModel):
    """``lm`` is a plain masked language model, and all of it that others load; ``heads`` are the objectives' own."""

    config_class = PretrainedConfig
    base_model_prefix = "lm"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, lm: PreTrainedModel, heads: dict[str, int]) -> None:
        super().__init__(lm.config)
        self.lm = lm
        self.heads = Heads(lm.config.hidden_size, heads) if heads else None
        self._tied_weights_keys = [f"lm.{name}" for name in getattr(lm, "_tied_weights_keys", None) or ()]

    def _init_weights(self, module: nn.Module) -> None:
        """Each part sets its own weights."""

    def get_input_embeddings(self) -> nn.Module:
        return self.lm.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module | None:
        return self.lm.get_output_embeddings()

    def tie_weights(self) -> None:
        self.lm.tie_weights()

    def states(self, **inputs: Tensor) -> Tensor:
        """The body's hidden states [batch, tokens, hidden]."""
        return self.lm.base_model(**inputs).last_hidden_state

    def words(self, states: Tensor) -> Tensor:
        """Logits over the vocabulary [items, vocabulary] of chosen states [items, hidden]."""
        lm: Any = self.lm
        if hasattr(lm, "lm_head"):
            return lm.lm_head(states)
        if hasattr(lm, "cls"):
            return lm.cls(states)
        if hasattr(lm, "decoder") and hasattr(lm, "head"):
            return lm.decoder(lm.head(states))
        raise NotImplementedError(type(lm).__name__)

    def forward(self, name: str = "", states: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """The states of ``inputs``; or one head's logits (``words`` for the vocabulary) of ``states``. One entry for
        both, so that a wrapper for several processes sees every call."""
        if states is None:
            return self.states(**inputs)
        return self.words(states) if name == "words" else self.heads(name, states)  # type: ignore[misc]

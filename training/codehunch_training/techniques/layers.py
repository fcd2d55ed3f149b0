"""Where a parameter stands in a model: embeddings, which layer, or head."""

from __future__ import annotations

import re

from torch import nn

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|block|layer_groups)\.(\d+)\.")
_EMBEDDINGS = re.compile(
    r"(?:^|\.)(?:embeddings?|wte|wpe|shared|embed_tokens|embed_positions|words|identifiers|uses|ranks)\."
)
_BODY_END = re.compile(r"(?:^|\.)(?:final_norm|final_layer_norm|ln_f|norm|layernorm_embedding)\.(?:weight|bias)$")
_HEADS = re.compile(
    r"^(?:classifier|classification_head|lm_head|score|head|cls|sequence_|token_|nsp|rtd|corruption|projection|qa_outputs)"
)

EMBEDDINGS, HEAD = -1, 1 << 20


def layer_of(name: str) -> int:
    """``EMBEDDINGS``, a layer's number from below, or ``HEAD``. Encoder and decoder layers of one number stand
    together; what ends a body (its last norm) counts as head."""
    if _HEADS.match(name):
        return HEAD
    found = _LAYER.search(name)
    if found:
        return int(found.group(1))
    if _EMBEDDINGS.search(name):
        return EMBEDDINGS
    return HEAD


def layer_count(model: nn.Module) -> int:
    """Layers of the body, 0 where none can be told apart."""
    numbers = [layer_of(name) for name, _ in model.named_parameters()]
    return max((number + 1 for number in numbers if number < HEAD), default=0)


def is_vector(name: str, parameter: nn.Parameter) -> bool:
    """Biases, norms and single numbers, which are not decayed."""
    return parameter.ndim < 2 or name.endswith(".bias") or "norm" in name.lower().rsplit(".", 2)[-2:][0]

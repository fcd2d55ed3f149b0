"""The attention of the defect model as onnxruntime's own operators: one node where tracing leaves twenty.

Tracing writes rotary positions and attention as slices, sums and products, each of which reads and writes all heads;
onnxruntime recognises neither, for its patterns know no bias between tokens of one identifier. Its operators
``RotaryEmbedding`` and ``MultiHeadAttention`` (domain com.microsoft, since 1.17) compute the same.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.onnx.symbolic_helper import _optional_input_placeholder_tensor as absent

from codehunch_training.models.encoder import DefectModel, Layer, rotate

OPSET = 20
"""Has Gelu, which is six nodes in those before; every onnxruntime since 1.17 (2024) runs it."""
MASKED = -1e4
"""What the mask adds to scores of padding."""


@contextlib.contextmanager
def fused(model: DefectModel) -> Iterator[None]:
    """While it lasts, the model's layers are traced as those operators, and compute the same."""
    layers = [layer for layer in model.layers if isinstance(layer, Layer)]
    for layer in layers:
        layer.attend = functools.partial(_attend, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.attend


def _attend(
    layer: Layer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, same: Tensor, cos: Tensor, sin: Tensor
) -> Tensor:
    half = layer.dim // 2  # Both halves of a head turn by the same angles.
    q, k = (_Rotary.apply(each, cos[:, :half], sin[:, :half], layer.heads) for each in (q, k))
    bias = same * layer.same_identifier.view(1, -1, 1, 1)
    kept = (mask[:, 0, 0] > MASKED / 2).to(torch.int32)
    return _Attention.apply(q, k, v, kept, bias, layer.heads)  # type: ignore[no-any-return]


class _Rotary(torch.autograd.Function):
    """``x`` [batch, tokens, hidden], cosines and sines [tokens, dim / 2]."""

    @staticmethod
    def forward(context: Any, x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
        split = x.unflatten(-1, (heads, -1)).transpose(1, 2)
        return rotate(split, torch.cat((cos, cos), -1), torch.cat((sin, sin), -1)).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph: Any, x: Any, cos: Any, sin: Any, heads: int) -> Any:
        from_start = graph.op("Constant", value_t=torch.zeros(1, dtype=torch.int64))
        return graph.op("com.microsoft::RotaryEmbedding", x, from_start, cos, sin).setType(x.type())


class _Attention(torch.autograd.Function):
    """``q``, ``k``, ``v`` [batch, tokens, hidden], ``kept`` [batch, tokens], ``bias`` of heads and pairs of tokens."""

    @staticmethod
    def forward(context: Any, q: Tensor, k: Tensor, v: Tensor, kept: Tensor, bias: Tensor, heads: int) -> Tensor:
        q, k, v = (each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (q, k, v))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias + (1 - kept[:, None, None]) * MASKED
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph: Any, q: Any, k: Any, v: Any, kept: Any, bias: Any, heads: int) -> Any:
        inputs = (q, k, v, absent(graph), kept, bias)
        found = graph.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads, mask_filter_value_f=MASKED)
        return found.setType(q.type())

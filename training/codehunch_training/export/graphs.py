"""PyTorch models as ONNX graphs in fp32, through optimum: encoders with any heads, encoder-decoders, decoders alone."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import inspect
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from optimum.exporters.onnx import export as onnx_export
from optimum.exporters.onnx.base import OnnxConfig
from optimum.exporters.onnx.config import TextSeq2SeqOnnxConfig
from optimum.exporters.tasks import TasksManager
from optimum.exporters.utils import get_encoder_decoder_models_for_export
from optimum.utils import DummyTextInputGenerator, NormalizedSeq2SeqConfig, NormalizedTextConfig
from torch import Tensor, nn
from transformers import PreTrainedModel

OPSET = 17
"""Has LayerNormalization; every onnxruntime since 1.13 (2022) runs it."""
ENCODER_DECODER = {
    "encoder": "encoder_model.onnx",
    "decoder": "decoder_model.onnx",
    "decoder_with_past": "decoder_with_past_model.onnx",
}
"""Names as optimum gives them."""
DECODER_ONLY = "decoder_model.onnx"
SINGLE = "model.onnx"
_INPUTS = ("input_ids", "attention_mask", "identifier_ids")
"""What an encoder may be fed, in this order. Token types stay at their default, 0: code has no second segment."""
_SMALLEST_NAMED = 32
_LARGEST_STORED = 2048
_TRACED = {"batch_size": 2, "sequence_length": 6}
"""Short, so that a decoder of few positions has one for a token after as long a past."""
_LAYOUTS = {"plbart": "bart"}
"""Architectures optimum does not list, with the one whose tensors they have."""


class _DummyInputs(DummyTextInputGenerator):  # type: ignore[misc]
    SUPPORTED_INPUT_NAMES = _INPUTS

    def generate(self, input_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().generate("input_ids" if input_name == "identifier_ids" else input_name, *args, **kwargs)


class EncoderOnnxConfig(OnnxConfig):  # type: ignore[misc]
    """One graph with every output of an encoder's heads, any batch and any length."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig
    DUMMY_INPUT_GENERATOR_CLASSES = (_DummyInputs,)

    def __init__(self, config: Any, inputs: tuple[str, ...], outputs: Mapping[str, int]) -> None:
        """``outputs``: name to rank; of rank 2 the first axis is free, of rank 3 the first two."""
        super().__init__(config, task="feature-extraction")
        self._input_names, self._ranks = inputs, dict(outputs)

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        return {name: {0: "batch", 1: "tokens"} for name in self._input_names}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        free = {0: "batch", 1: "tokens"}
        return {name: {axis: free[axis] for axis in range(min(rank - 1, 2))} for name, rank in self._ranks.items()}


class EncoderDecoderOnnxConfig(TextSeq2SeqOnnxConfig):  # type: ignore[misc]
    """``EncoderDecoderModel`` with a cache: a decoder of the BERT family with cross-attention, such as RoBERTa's.

    optimum's own config asks the decoder's architecture whether it has a cache, and finds an encoder's entry.
    """

    NORMALIZED_CONFIG_CLASS = NormalizedSeq2SeqConfig.with_args(
        hidden_size="decoder.hidden_size",
        vocab_size="decoder.vocab_size",
        encoder_num_layers="encoder.num_hidden_layers",
        decoder_num_layers="decoder.num_hidden_layers",
        # Both name attentions of the decoder: to the prompt, and to itself.
        encoder_num_attention_heads="decoder.num_attention_heads",
        decoder_num_attention_heads="decoder.num_attention_heads",
        allow_new=True,
    )

    @property
    def values_override(self) -> dict[str, Any] | None:
        return {"use_cache": self.use_past}


class Named(nn.Module):
    """A model whose call gives a dict of tensors: what the graph's outputs are called is decided here."""

    def __init__(self, model: nn.Module, call: Any, config: Any) -> None:
        super().__init__()
        self.model, self.call, self.config = model, call, config

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        return self.call(input_ids=input_ids, attention_mask=attention_mask)  # type: ignore[no-any-return]


def export_encoder(model: nn.Module, path: Path, outputs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Write the graph of an encoder with its heads; returns the names of its outputs.

    All tensors of rank 2 and 3 that the model gives for a text become outputs, or those named. A model that is called
    with ``identifier_ids`` gets them as an input. Raises ValueError where a named output is not there.
    """
    model = model.eval().cpu()
    accepted = inspect.signature(model.forward).parameters
    inputs = tuple(name for name in _INPUTS if name in accepted)
    sample = torch.ones((1, 8), dtype=torch.int64)
    with torch.inference_mode():
        given = model(**dict.fromkeys(inputs, sample))
    items = given.items() if hasattr(given, "items") else {"logits": given[0]}.items()
    found = {name: value.ndim for name, value in items if isinstance(value, Tensor) and value.ndim in (2, 3)}
    if outputs:
        missing = [name for name in outputs if name not in found]
        if missing:
            raise ValueError(f"the model gives no {', '.join(missing)}; it gives {', '.join(found)}")
        found = {name: found[name] for name in outputs}
    config = EncoderOnnxConfig(model.config, inputs, found)
    patcher = _registered_patcher(model)
    if patcher is not None:
        config._MODEL_PATCHER = patcher
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet(), _eager(model):
        onnx_export(model, config, path, opset=OPSET, input_shapes=_TRACED)
    _finish(path, model)
    return tuple(found)


def export_embedder(encoder: PreTrainedModel, pooling: str, path: Path) -> None:
    """Write a graph from a text to one unit vector, its output ``embedding`` [batch, hidden]."""
    from codehunch_training.models.embedding import pool

    def call(input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        hidden = encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        return {"embedding": pool(hidden, attention_mask, pooling)}

    export_encoder(Named(encoder, call, encoder.config), path, ("embedding",))


def export_encoder_decoder(model: PreTrainedModel, folder: Path) -> dict[str, Path]:
    """Write encoder, decoder and decoder with past; returns their paths by part."""
    model = model.eval().cpu()
    kind = model.config.model_type
    if kind == "encoder-decoder":
        _check_pair(model)
        config: Any = EncoderDecoderOnnxConfig(model.config, task="text2text-generation", use_past=True)
    else:
        make = TasksManager.get_exporter_config_constructor(
            "onnx",
            model_type=_LAYOUTS.get(kind, kind),
            task="text2text-generation-with-past",
            library_name="transformers",
        )
        config = make(model.config, use_past=True)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    with _quiet(), _unchanged(model), _eager(model):
        for part, (module, part_config) in get_encoder_decoder_models_for_export(model, config).items():
            name = part.removesuffix("_model")
            paths[name] = folder / ENCODER_DECODER[name]
            onnx_export(
                module, part_config, paths[name], opset=max(OPSET, config.DEFAULT_ONNX_OPSET), input_shapes=_TRACED
            )
            _finish(paths[name], module)
    return paths


def export_decoder(model: PreTrainedModel, folder: Path) -> Path:
    """Write the one graph of a decoder-only model: any number of tokens after a past of any length, also none."""
    model = model.eval().cpu()
    make = TasksManager.get_exporter_config_constructor(
        "onnx", model_type=model.config.model_type, task="text-generation-with-past", library_name="transformers"
    )
    config = make(model.config, use_past=True, use_past_in_inputs=True)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DECODER_ONLY
    with _quiet(), _unchanged(model):
        onnx_export(model, config, path, opset=max(OPSET, config.DEFAULT_ONNX_OPSET), input_shapes=_TRACED)
    _finish(path, model)
    return path


def checked(path: Path) -> dict[str, Any]:
    """What onnx says of a graph: operator set and IR version. Raises ValueError where onnx.checker refuses it."""
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        raise ValueError(f"{path.name}: not a valid graph: {str(error).strip().splitlines()[0]}") from error
    model = onnx.load(path, load_external_data=False)
    return {
        "ir": model.ir_version,
        "opset": {item.domain or "ai.onnx": item.version for item in model.opset_import},
        "bytes": path.stat().st_size,
    }


def name_weights(model: nn.Module, graph: onnx.ModelProto) -> int:
    """Give the initialisers that the exporter numbered the names of the parameters they hold; returns how many.

    The exporter stores a matrix of ``nn.Linear`` transposed under a number; found again by its bytes, it is called by
    its parameter, so that the bundle can be turned back. The orientation follows from the operator that reads it.
    """
    holders: dict[bytes, list[str]] = {}
    for name, parameter in model.named_parameters():
        values = parameter.detach().float().cpu().numpy()
        for oriented in {values.tobytes(), values.T.tobytes()} if values.ndim == 2 else {values.tobytes()}:
            holders.setdefault(hashlib.sha256(oriented).digest(), []).append(name)
    taken = {tensor.name for tensor in graph.graph.initializer}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    renamed: dict[str, str] = {}
    for tensor in graph.graph.initializer:
        if tensor.name in parameters or np.prod(tensor.dims, dtype=np.int64) < _SMALLEST_NAMED:
            continue
        values = numpy_helper.to_array(tensor)
        owners = holders.get(hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest(), [])
        if values.dtype == np.float32 and len(owners) == 1 and owners[0] not in taken:
            taken.add(owners[0])
            renamed[tensor.name] = tensor.name = owners[0]
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            if name in renamed:
                node.input[place] = renamed[name]
    return len(renamed)


def unnamed(model: nn.Module, paths: Iterable[Path]) -> dict[str, nn.Parameter]:
    """Small parameters that stand under their name in no graph: the exporter computed with them and kept the result."""
    names: set[str] = set()
    for path in paths:
        graph = onnx.load(path, load_external_data=False).graph
        names |= {tensor.name for tensor in graph.initializer}
        names |= {name for node in graph.node if node.op_type == "Identity" for name in node.output}
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if not {name, f"model.{name}", name.partition("encoder.")[2]} & names and parameter.numel() <= _LARGEST_STORED
    }


def _finish(path: Path, model: nn.Module) -> None:
    graph = onnx.load(path)
    name_weights(model, graph)
    external = path.with_name(path.name + "_data")
    if external.exists():
        external.unlink()
        onnx.save(graph, path, save_as_external_data=True, location=external.name)
    else:
        onnx.save(graph, path)
    checked(path)


def _check_pair(model: PreTrainedModel) -> None:
    decoder = model.config.decoder
    if not (getattr(decoder, "is_decoder", False) and getattr(decoder, "add_cross_attention", False)):
        raise ValueError(
            f"the decoder ({decoder.model_type}) has no cross-attention: load the pair with "
            "EncoderDecoderModel.from_encoder_decoder_pretrained, which adds it"
        )


def _registered_patcher(model: nn.Module) -> Any:
    """What optimum replaces in this architecture while it is traced."""
    kind = getattr(model.config, "model_type", "")
    try:
        make = TasksManager.get_exporter_config_constructor(
            "onnx", model_type=kind, task="feature-extraction", library_name="transformers"
        )
    except (KeyError, ValueError):
        return None
    return getattr(make.func if isinstance(make, functools.partial) else make, "_MODEL_PATCHER", None)


@contextlib.contextmanager
def _unchanged(model: PreTrainedModel) -> Iterator[None]:
    """optimum writes into the configs of what it exports."""
    parts = [module for module in model.modules() if hasattr(module, "config")]
    kept = [(module, module.config, copy.deepcopy(module.config.__dict__)) for module in parts]
    try:
        yield
    finally:
        for _, config, values in kept:
            config.__dict__.clear()
            config.__dict__.update(values)


@contextlib.contextmanager
def _eager(model: nn.Module) -> Iterator[None]:
    """Plain attention while tracing: onnxruntime recognises and fuses it."""
    inner = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    kept = [(module, module.config._attn_implementation) for module in inner]
    for module, _ in kept:
        if getattr(module, "_supports_sdpa", False):
            module.config._attn_implementation = "eager"
    try:
        yield
    finally:
        for module, before in kept:
            module.config._attn_implementation = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every Python branch, hundreds of times; parity is what tells whether one mattered."""
    names = ("optimum", "transformers", "torch.onnx")
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger, _ in levels:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in levels:
                logger.setLevel(level)

"""The attention of the defect model as onnxruntime's own operators computes what PyTorch does."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import onnx
import onnxruntime
import torch

from codehunch_training.export.defects import export_graph
from codehunch_training.export.fused import OPSET, fused
from codehunch_training.models.encoder import DefectConfig, DefectModel

LAYERS = 3
NAMES = ["logits", "token_logits"]


@pytest.fixture(scope="module")
def model() -> DefectModel:
    torch.manual_seed(0)
    config = DefectConfig(
        80, 32, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=24, initializer_range=0.4,
        token_labels=["clean", "a"], standings=4,
    )  # fmt: skip
    model = DefectModel(config).eval()
    for layer in model.layers:  # They begin at nothing, and would not show.
        layer.same_identifier.data.normal_()
    return model


@pytest.fixture(scope="module")
def graph(model: DefectModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_graph(model, tmp_path_factory.mktemp("graph"))


def _inputs(batch: int, length: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 80, (batch, length))
    mask = torch.ones_like(ids)
    mask[1:, length // 2 :] = 0  # Padded, as rows of a batch are.
    return {"input_ids": ids, "attention_mask": mask, "identifier_ids": torch.randint(0, 9, (batch, length))}


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 7), (1, 300), (3, 40)])
def test_the_graph_computes_what_the_model_does(model: DefectModel, graph: Path, batch: int, length: int) -> None:
    inputs = _inputs(batch, length)
    session = onnxruntime.InferenceSession(str(graph))
    found = session.run(NAMES, {name: value.numpy() for name, value in inputs.items()})
    with torch.inference_mode():
        expected = model(**inputs)
        with fused(model):
            alike = model(**inputs)
    real = inputs["attention_mask"].bool().numpy()
    for name, value in zip(NAMES, found, strict=True):
        rows = real if value.ndim == 3 else slice(None)
        wanted = expected[name].numpy()[rows]
        assert np.abs(wanted - alike[name].numpy()[rows]).max() < 1e-4
        assert np.abs(wanted - value[rows]).max() < 1e-3


def test_every_layer_is_one_attention(graph: Path) -> None:
    loaded = onnx.load(graph)
    counts = Counter(node.op_type for node in loaded.graph.node)
    assert (counts["MultiHeadAttention"], counts["RotaryEmbedding"]) == (LAYERS, 2 * LAYERS)
    assert not counts["Softmax"]
    assert {each.domain: each.version for each in loaded.opset_import} == {"": OPSET, "com.microsoft": 1}


def test_the_model_is_left_as_it_was(model: DefectModel) -> None:
    before = [layer.attend for layer in model.layers]
    with contextlib.suppress(KeyError), fused(model):
        assert all(layer.attend not in before for layer in model.layers)
        raise KeyError
    assert [layer.attend for layer in model.layers] == before

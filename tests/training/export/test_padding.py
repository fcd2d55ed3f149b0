"""Encoders without their padding mask: the same answers, and left alone where the mask has other work."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs the train extra")

import numpy as np
import onnx
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from codehunch_training.export.graphs import export_embedder, export_encoder
from codehunch_training.export.padding import without_mask
from codehunch_training.export.quantisation import SCHEMES, Feed, quantise, run_all

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "num_labels": 2,
}


@pytest.fixture(scope="module")
def feeds() -> list[Feed]:
    rng = np.random.default_rng(0)
    rows = [rng.integers(5, 60, (1, length)) for length in (3, 17, 32)]
    return [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in rows]


@pytest.mark.parametrize(
    "model",
    [RobertaForSequenceClassification(RobertaConfig(**SMALL)), BertForSequenceClassification(BertConfig(**SMALL))],
    ids=["roberta", "bert"],
)
def test_scores_lose_the_sum_with_zeros_and_nothing_else(
    model: torch.nn.Module, feeds: list[Feed], tmp_path: Path
) -> None:
    source, out = tmp_path / "model.onnx", tmp_path / "alone.onnx"
    export_encoder(model, source)
    assert without_mask(source, out, feeds)

    graph = onnx.load(out).graph
    assert [each.name for each in graph.input] == ["input_ids"]
    assert len(graph.node) < len(onnx.load(source).graph.node)
    for before, after in zip(run_all(source, feeds), run_all(out, feeds), strict=True):
        np.testing.assert_array_equal(before[0], after[0])
    quantise(out, tmp_path / "int8.onnx", SCHEMES["reduced"], feeds)


def test_pooling_keeps_its_mask(feeds: list[Feed], tmp_path: Path) -> None:
    source, out = tmp_path / "model.onnx", tmp_path / "alone.onnx"
    export_embedder(RobertaForSequenceClassification(RobertaConfig(**SMALL)).roberta, "mean", source)
    assert not without_mask(source, out, feeds)
    assert not out.exists()


def test_other_answers_without_the_mask_are_noticed(feeds: list[Feed], tmp_path: Path) -> None:
    """Rows whose mask is not all ones need it."""
    source, out = tmp_path / "model.onnx", tmp_path / "alone.onnx"
    export_encoder(RobertaForSequenceClassification(RobertaConfig(**SMALL)), source)
    padded = dict(feeds[1], attention_mask=np.array([[1] * 9 + [0] * 8]))
    assert not without_mask(source, out, [padded])
    assert not out.exists()
    assert not without_mask(source, out, [*feeds, padded])

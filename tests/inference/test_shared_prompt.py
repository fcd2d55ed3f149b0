"""Beams read one copy of the prompt's keys where the graph can, and one each where it cannot: the answers are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codehunch.inference.decoding import Decoding
from codehunch.inference.kvcache import KeyValueCache
from codehunch.inference.seq2seq import Graphs, Seq2Seq

onnx = pytest.importorskip("onnx", reason="builds its graphs with onnx")
helper, kind = onnx.helper, onnx.TensorProto
HEADS, WORDS = 2, 6
OWN, PROMPT = "0.decoder.key", "0.encoder.key"


def writer(folder: Path, folds: bool) -> Seq2Seq:
    """A decoder whose next word depends on the prompt's keys and on all words so far.

    It adds up each head's keys by a product, which broadcasts over beams; one that ``folds`` gives beams and heads one
    axis before, as some exports do.
    """
    shape = ["beams", HEADS, "tokens", 1]
    own, prompt = (float_value(f"past_key_values.{name}", shape) for name in (OWN, PROMPT))
    ids, mask = (whole(name, ["beams", "tokens"]) for name in ("input_ids", "attention_mask"))
    states = float_value("encoder_hidden_states", ["beams", "tokens", 1])
    logits, longer = float_value("logits", ["beams", 1, WORDS]), float_value(f"present.{OWN}", shape)
    heads = [
        helper.make_node("Cast", ["input_ids"], ["number"], to=kind.FLOAT),
        helper.make_node("Reshape", ["number", "one_each"], ["token"]),
        helper.make_node("Expand", ["token", "heads"], ["key"]),
    ]
    save(
        folder / "encoder.onnx",
        [
            helper.make_node("Cast", ["input_ids"], ["number"], to=kind.FLOAT),
            helper.make_node("Unsqueeze", ["number", "last"], ["last_hidden_state"]),
        ],
        [ids, mask],
        [float_value("last_hidden_state", ["beams", "tokens", 1])],
    )
    save(
        folder / "decoder.onnx",
        [
            *heads,
            helper.make_node("Identity", ["key"], [f"present.{OWN}"]),
            helper.make_node("Unsqueeze", ["encoder_hidden_states", "second"], ["states"]),
            helper.make_node("Mul", ["states", "scales"], [f"present.{PROMPT}"]),
            helper.make_node("ReduceSum", [f"present.{PROMPT}", "head_axes"], ["sum"], keepdims=0),
            helper.make_node("Unsqueeze", ["sum", "last"], ["row"]),
            helper.make_node("Mul", ["row", "words"], ["waves"]),
            helper.make_node("Sin", ["waves"], ["logits"]),
        ],
        [ids, states, whole("encoder_attention_mask", ["beams", "tokens"])],
        [logits, longer, float_value(f"present.{PROMPT}", shape)],
    )
    folded = [
        helper.make_node("Shape", ["input_ids"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "first"], ["beams"]),
        helper.make_node("Mul", ["beams", "two"], ["rows"]),
        helper.make_node("Concat", ["rows", "rest"], ["folds"], axis=0),
        helper.make_node("Reshape", [f"past_key_values.{PROMPT}", "folds"], ["folded"]),
        helper.make_node("ReduceSum", ["folded", "middle"], ["each"], keepdims=0),
        helper.make_node("Reshape", ["each", "per_beam"], ["read"]),
    ]
    broadcast = [helper.make_node("ReduceSum", [f"past_key_values.{PROMPT}", "positions"], ["read"], keepdims=0)]
    save(
        folder / "next.onnx",
        [
            *heads,
            helper.make_node("Concat", [f"past_key_values.{OWN}", "key"], [f"present.{OWN}"], axis=2),
            helper.make_node("ReduceSum", [f"present.{OWN}", "positions"], ["said"], keepdims=0),
            *(folded if folds else broadcast),
            helper.make_node("Mul", ["said", "read"], ["product"]),
            helper.make_node("ReduceSum", ["product", "last_axis"], ["sum"], keepdims=1),
            helper.make_node("Unsqueeze", ["sum", "last"], ["row"]),
            helper.make_node("Mul", ["row", "words"], ["waves"]),
            helper.make_node("Sin", ["waves"], ["logits"]),
        ],
        [ids, whole("encoder_attention_mask", ["beams", "tokens"]), own, prompt],
        [logits, longer],
    )
    return Seq2Seq(Graphs(*(folder / f"{name}.onnx" for name in ("encoder", "decoder", "next")), start=0, eos=1), 1)


@pytest.mark.parametrize("prompt", [[3, 4, 2, 5], [2, 5, 3], [4, 4]])
@pytest.mark.parametrize("folds", [False, True], ids=["broadcasts", "folds"])
def test_beams_write_the_same(tmp_path: Path, folds: bool, prompt: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, decoding = writer(tmp_path, folds), Decoding(max_new=8, beams=3)
    kept: list[int] = []
    made = KeyValueCache.__init__

    def counted(self: KeyValueCache, *arguments: Any) -> None:
        made(self, *arguments)
        kept.append(self._values[f"past_key_values.{PROMPT}"].shape()[0])

    monkeypatch.setattr(KeyValueCache, "__init__", counted)
    found = engine.generate(prompt, decoding)
    assert kept[-1] == (3 if folds else 1)
    tries = len(kept)
    monkeypatch.setattr(Seq2Seq, "_can_share", lambda *_: False)
    assert engine.generate(prompt, decoding) == found
    assert kept[tries:] == [3]


def test_it_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = writer(tmp_path, False)
    steps: list[int] = []
    following = engine.following

    def counted(tokens: Any, cache: KeyValueCache) -> Any:
        steps.append(len(tokens))
        return following(tokens, cache)

    monkeypatch.setattr(engine, "following", counted)
    engine.first([3, 4, 2, 5], 1)
    assert steps == []
    for _ in range(2):
        engine.first([3, 4, 2, 5], 4)
        assert steps == [2, 2]


CONSTANTS = {
    "one_each": [-1, 1, 1, 1],
    "heads": [1, HEADS, 1, 1],
    "last": [-1],
    "second": [1],
    "positions": [2, 3],
    "head_axes": [1, 2],
    "last_axis": [1],
    "middle": [1, 2],
    "first": [0],
    "two": [HEADS],
    "rest": [-1, 1],
    "per_beam": [-1, HEADS],
}


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> None:
    read = {name for node in nodes for name in node.input}
    tensors = {name: np.array(value) for name, value in CONSTANTS.items()}
    tensors["scales"] = np.array([0.25, 0.5], dtype=np.float32).reshape(1, HEADS, 1, 1)
    tensors["words"] = np.linspace(0.5, 2.5, WORDS, dtype=np.float32).reshape(1, 1, WORDS)
    graph = helper.make_graph(
        nodes,
        path.stem,
        inputs,
        outputs,
        [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items() if name in read],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def float_value(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind.FLOAT, shape)


def whole(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind.INT64, shape)

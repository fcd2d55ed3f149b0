"""The cache of a decoder stays where it was computed: greedy steps bring no array of it into Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from codehunch.inference.kvcache import KeyValueCache
from codehunch.inference.session import create_session

onnx = pytest.importorskip("onnx", reason="builds its graph with onnx")

KEY, VALUE = "past_key_values.0.decoder.key", "past_key_values.0.encoder.key"


@pytest.fixture(name="session")
def _session(tmp_path: Path) -> ort.InferenceSession:
    """Appends the token to the decoder's cache; the logits are the sum of it, the encoder's part is only read."""
    helper, kind = onnx.helper, onnx.TensorProto
    shape = ["beams", 1, "positions", 2]
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["number"], to=kind.FLOAT),
        helper.make_node("Reshape", ["number", "shape"], ["one"]),
        helper.make_node("Expand", ["one", "wide"], ["token"]),
        helper.make_node("Concat", [KEY, "token"], ["present.0.decoder.key"], axis=2),
        helper.make_node("ReduceSum", ["present.0.decoder.key", "axes"], ["sum"], keepdims=0),
        helper.make_node("ReduceMean", [VALUE], ["shift"], keepdims=0),
        helper.make_node("Add", ["sum", "shift"], ["shifted"]),
        helper.make_node("Unsqueeze", ["shifted", "middle"], ["logits"]),
    ]
    constants = {"shape": [-1, 1, 1, 1], "wide": [1, 1, 1, 2], "axes": [1, 2], "middle": [1]}
    graph = helper.make_graph(
        nodes,
        "cache",
        [
            helper.make_tensor_value_info("input_ids", kind.INT64, ["beams", 1]),
            helper.make_tensor_value_info(KEY, kind.FLOAT, shape),
            helper.make_tensor_value_info(VALUE, kind.FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("logits", kind.FLOAT, ["beams", 1, 2]),
            helper.make_tensor_value_info("present.0.decoder.key", kind.FLOAT, shape),
        ],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    path = tmp_path / "cache.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return create_session(path, 1)


def start(session: ort.InferenceSession, beams: int) -> KeyValueCache:
    values = {KEY: np.zeros((1, 1, 1, 2), np.float32), VALUE: np.full((1, 1, 3, 2), 0.5, np.float32)}
    return KeyValueCache(session, {**values, "unknown": np.zeros((1,), np.float32)}, beams)


def feed(cache: KeyValueCache, *tokens: int) -> list[float]:
    cache.bind("input_ids", np.array(tokens, dtype=np.int64)[:, None])
    logits = cache.step()
    assert logits.shape == (len(tokens), 1, 2)
    return [float(value) for value in logits[:, 0, 0]]


def test_steps_copy_nothing(session: ort.InferenceSession, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = start(session, beams=2)
    made: list[object] = []
    monkeypatch.setattr(ort.OrtValue, "ortvalue_from_numpy", lambda *_: made.append(1))
    encoder = cache._values[VALUE].data_ptr()
    assert feed(cache, 1, 10) == [1.5, 10.5]
    for step in range(2, 6):
        computed = cache._values[KEY].data_ptr()
        assert cache._binding.get_outputs()[1].data_ptr() == computed, "what was computed is what is bound"
        assert feed(cache, 1, 10) == [step + 0.5, 10 * step + 0.5]
        assert cache.positions == step + 1
    assert cache._values[VALUE].data_ptr() == encoder
    assert made == []


def test_beams_change_places(session: ort.InferenceSession) -> None:
    cache = start(session, beams=3)
    assert feed(cache, 1, 2, 3) == [1.5, 2.5, 3.5]
    cache.reorder(np.array([2, 2, 0]), [KEY])
    assert feed(cache, 10, 20, 30) == [13.5, 23.5, 31.5]


def test_results_of_a_step_outlive_the_next(session: ort.InferenceSession) -> None:
    cache = start(session, beams=1)
    cache.bind("input_ids", np.array([[7]]))
    first = cache.step()
    kept = first.copy()
    feed(cache, 100)
    np.testing.assert_array_equal(first, kept)

"""Rows share a run only where that changes nobody's answer, and nobody is padded to the longest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codehunch.inference import fallback
from codehunch.inference.batching import MOST_TOKENS, STEP, BatchRunner, groups_of
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.inference.fallback import LocalSession
from codehunch.inference.session import create_session

onnx = pytest.importorskip("onnx", reason="builds its graph with onnx")

HIDDEN = 8
VALUES = {"input_ids": range(64), "attention_mask": range(1, 2)}
PADS = {"input_ids": 1, "attention_mask": 0}


class Counting:
    """A session that remembers the shapes it was given."""

    def __init__(self, inner: LocalSession) -> None:
        self._inner = inner
        self.shapes: list[tuple[int, ...]] = []

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        self.shapes.append(feed["input_ids"].shape)
        return self._inner.run(outputs, feed)

    def warm_up(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> None:
        self._inner.warm_up(outputs, feed)

    def get_inputs(self) -> Sequence[Any]:
        return self._inner.get_inputs()

    def get_outputs(self) -> Sequence[Any]:
        return self._inner.get_outputs()


@pytest.fixture(scope="module", name="graphs")
def _graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Masked embeddings times a matrix, in fp32 and with dynamic int8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    helper, kind = onnx.helper, onnx.TensorProto
    random = np.random.default_rng(3)
    tables = {
        "embedding": random.normal(size=(64, HIDDEN)).astype(np.float32),
        "matrix": random.normal(size=(HIDDEN, HIDDEN)).astype(np.float32),
        "last": np.array([2]),
        "first": np.array(0),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=kind.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["kept"]),
        helper.make_node("Mul", ["rows", "kept"], ["masked"]),
        helper.make_node("MatMul", ["masked", "matrix"], ["token_logits"]),
        helper.make_node("Gather", ["token_logits", "first"], ["logits"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(name, kind.INT64, ["batch", "tokens"]) for name in VALUES],
        [
            helper.make_tensor_value_info("logits", kind.FLOAT, ["batch", HIDDEN]),
            helper.make_tensor_value_info("token_logits", kind.FLOAT, ["batch", "tokens", HIDDEN]),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in tables.items()],
    )
    folder = tmp_path_factory.mktemp("graphs")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "fp32.onnx")
    quantize_dynamic(
        folder / "fp32.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
    )
    return {name: folder / f"{name}.onnx" for name in ("fp32", "int8")}


def opened(path: Path, pads: Mapping[str, int] | None = PADS) -> tuple[Counting, BatchRunner]:
    session = Counting(LocalSession(create_session(path, 1), path))
    runner = BatchRunner(session, ["logits", "token_logits"], pads)
    runner.warm_up(VALUES, 512)
    session.shapes.clear()
    return session, runner


def rows_of(lengths: Sequence[int]) -> list[dict[str, NDArray[np.int64]]]:
    random = np.random.default_rng(7)
    return [
        {"input_ids": random.integers(5, 64, length), "attention_mask": np.ones(length, np.int64)} for length in lengths
    ]


LENGTHS = [3, 40, 5, 500, 41, 17, 3, 16]


def test_independent_rows_of_like_length_share_a_run(graphs: dict[str, Path]) -> None:
    session, runner = opened(graphs["fp32"])
    assert runner.independent
    found = dict(runner.run(rows_of(LENGTHS)))
    assert sorted(found) == list(range(len(LENGTHS)))
    assert session.shapes == [(4, 16), (1, 32), (2, 48), (1, 512)]
    assert all(shape[1] - length < STEP for shape, length in zip(session.shapes, [3, 17, 40, 500], strict=True))


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_the_answer_does_not_depend_on_the_company(graphs: dict[str, Path], name: str) -> None:
    _, runner = opened(graphs[name])
    rows = rows_of(LENGTHS)
    together = dict(runner.run(rows))
    for number, row in enumerate(rows):
        ((_, alone),) = runner.run([row])
        for one, other in zip(alone, together[number], strict=True):
            np.testing.assert_array_equal(one, other)


def test_rows_that_disturb_each_other_run_alone_and_unpadded(graphs: dict[str, Path]) -> None:
    """Dynamic quantisation: one scale for the whole tensor."""
    session, runner = opened(graphs["int8"])
    assert not runner.independent
    list(runner.run(rows_of(LENGTHS)))
    assert session.shapes == [(1, length) for length in LENGTHS]


def test_without_padding_only_equal_lengths_meet(graphs: dict[str, Path]) -> None:
    session, runner = opened(graphs["fp32"], pads=None)
    assert len(dict(runner.run(rows_of(LENGTHS)))) == len(LENGTHS)
    assert session.shapes == [(2, 3), (1, 5), (1, 16), (1, 17), (1, 40), (1, 41), (1, 500)]


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_a_cancel_is_seen_between_batches(graphs: dict[str, Path], name: str) -> None:
    session, runner = opened(graphs[name])
    with pytest.raises(Cancelled):
        list(runner.run(rows_of(LENGTHS), lambda: len(session.shapes) >= 2))
    assert len(session.shapes) == 2


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([7], [(7, [0])]),
        ([7, 3, 7], [(3, [1]), (7, [0, 2])]),
        ([MOST_TOKENS + 1] * 2, [(MOST_TOKENS + 1, [0]), (MOST_TOKENS + 1, [1])]),
        ([MOST_TOKENS // 2] * 3, [(MOST_TOKENS // 2, [0, 1]), (MOST_TOKENS // 2, [2])]),
        ([0, 0], [(0, [0, 1])]),
    ],
)
def test_groups(lengths: list[int], expected: list[tuple[int, list[int]]]) -> None:
    assert groups_of(lengths) == expected


def test_a_graph_that_cannot_run_is_named(graphs: dict[str, Path]) -> None:
    """Ids that no embedding has: the error names the file, in one line."""
    session = LocalSession(create_session(graphs["fp32"], 1), graphs["fp32"])
    with pytest.raises(InferenceError, match=r"fp32\.onnx: the graph cannot be run") as caught:
        BatchRunner(session, ["logits"], PADS).warm_up({"input_ids": range(900, 901), "attention_mask": range(1, 2)}, 8)
    assert "\n" not in str(caught.value)


class Accelerated:
    """The CPU under another name, slowed down."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._inner, self._seconds = create_session(path, 1), seconds

    def get_providers(self) -> list[str]:
        return ["OpenVINOExecutionProvider", "CPUExecutionProvider"]

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> Any:
        time.sleep(self._seconds)
        return self._inner.run(outputs, feed)


@pytest.mark.parametrize(("seconds", "kept"), [(0.05, False), (-1.0, True)])
def test_an_accelerator_is_kept_only_where_it_is_faster(
    graphs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, seconds: float, kept: bool
) -> None:
    """Its runs are measured beside the CPU's when the graph is opened. A faster one: the CPU is slowed down."""
    accelerated = Accelerated(graphs["fp32"], max(0.0, seconds))
    if kept:
        monkeypatch.setattr(fallback, "create_session", lambda path, *_: Accelerated(path, 0.05))
    session = LocalSession(accelerated, graphs["fp32"], 1)
    session.warm_up(["logits"], {name: np.ones((1, 8), np.int64) for name in VALUES})
    assert (session._session is accelerated) == kept
    assert session.run(["logits"], {name: np.ones((1, 8), np.int64) for name in VALUES})[0].shape == (1, HIDDEN)

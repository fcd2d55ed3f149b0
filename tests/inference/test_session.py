"""Providers by preference, a core left free, and errors that name the file."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from codehunch.inference import session as sessions
from codehunch.inference.errors import InferenceError
from codehunch.inference.session import choose_providers, create_session, default_threads, require_names

onnx = pytest.importorskip("onnx", reason="builds its graph with onnx")

CUDA, OPENVINO, CPU = "CUDAExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider"


@pytest.fixture(name="graph")
def _graph(tmp_path: Path) -> Path:
    """``y = x + x`` over a vector of any length."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["x", "x"], ["y"])],
            "double",
            [helper.make_tensor_value_info("x", kind, ["n"])],
            [helper.make_tensor_value_info("y", kind, ["n"])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path / "double.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        ([CPU], None, (CPU,)),
        (["AzureExecutionProvider", CPU], None, (CPU,)),
        ([CPU, OPENVINO, CUDA], None, (CUDA, OPENVINO, CPU)),
        ([CPU, OPENVINO, CUDA], ["openvino"], (OPENVINO, CPU)),
        ([CPU, CUDA], ["cpu"], (CPU,)),
        ([CPU], ["cuda"], (CPU,)),
        ([CPU, CUDA], [CUDA], (CUDA, CPU)),
        (
            ["DmlExecutionProvider", "CoreMLExecutionProvider", CPU],
            None,
            ("CoreMLExecutionProvider", "DmlExecutionProvider", CPU),
        ),
    ],
)
def test_providers_by_preference(available: list[str], wanted: list[str] | None, expected: tuple[str, ...]) -> None:
    assert choose_providers(available, wanted) == expected


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)])
def test_leaves_the_editor_a_core(cores: int, threads: int) -> None:
    assert default_threads(cores) == threads


def test_runs(graph: Path) -> None:
    session = create_session(graph)
    assert session.get_providers() == [CPU]
    assert session.run(None, {"x": np.array([1, 2], np.float32)})[0].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, ["no such graph", "bundles verify"]), (b"", ["not a graph"]), (b"\x00garbage" * 99, ["not a graph"])],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InferenceError) as caught:
        create_session(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_graph_is_named(graph: Path) -> None:
    graph.write_bytes(graph.read_bytes()[:-20])
    with pytest.raises(InferenceError, match=r"double\.onnx"):
        create_session(graph)


def test_wrong_names_are_named(graph: Path) -> None:
    session = create_session(graph)
    require_names(session, graph, ["x"], ["y"])
    with pytest.raises(InferenceError, match=r"double\.onnx: the graph has no input input_ids \(it has x\)"):
        require_names(session, graph, ["input_ids"], ["y"])
    with pytest.raises(InferenceError, match="no output logits"):
        require_names(session, graph, ["x"], ["logits"])


@pytest.mark.parametrize("raises", [True, False])
def test_a_provider_that_fails_falls_back_to_the_cpu_and_says_so(
    graph: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    raises: bool,
) -> None:
    """onnxruntime either raises or silently leaves the provider out, depending on the provider."""
    opened = sessions._open

    def without_a_driver(file: Path, threads: int | None, providers: tuple[str, ...]) -> ort.InferenceSession:
        if providers == (CPU,) or not raises:
            return opened(file, threads, (CPU,))
        raise RuntimeError("libcublas.so.12: cannot open shared object file")

    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(sessions, "_open", without_a_driver)
    with caplog.at_level(logging.WARNING, logger="codehunch"):
        session = create_session(graph)
    assert session.get_providers() == [CPU]
    assert CUDA in caplog.text
    assert "falling back to" in caplog.text
    assert capfd.readouterr().out == ""


def test_products_of_eight_bits_do_not_saturate(tmp_path: Path) -> None:
    """Neighbouring products of large numbers leave 16 bits, which is where x86 without VNNI would add them."""
    helper, kind = onnx.helper, onnx.TensorProto
    weights = np.full((64, 32), 127, dtype=np.int8)
    weights[:, ::2] = -128
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMulInteger", ["x", "weights"], ["y"])],
            "product",
            [helper.make_tensor_value_info("x", kind.UINT8, ["n", 64])],
            [helper.make_tensor_value_info("y", kind.INT32, ["n", 32])],
            [onnx.numpy_helper.from_array(weights, "weights")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path / "product.onnx"
    onnx.save(model, path)
    given = np.full((3, 64), 255, dtype=np.uint8)
    (found,) = create_session(path, 1, ["cpu"]).run(None, {"x": given})
    np.testing.assert_array_equal(found, given.astype(np.int32) @ weights.astype(np.int32))

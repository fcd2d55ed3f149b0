"""Int8 that cannot saturate, parts left in floats where measurement says so, half precision."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

pytest.importorskip("onnx", reason="needs the train extra")

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codehunch_training.export.blocks import from_blocks, in_blocks, round_table, write_blocks
from codehunch_training.export.dequantise import dequantised, float_tensors
from codehunch_training.export.quantisation import (
    SCHEMES,
    Feed,
    cannot_saturate,
    half,
    part_of,
    quantise,
    relative_error,
    run_all,
)

SIZE = 32


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings and three layers; the middle one has weights that eight bits per column cannot hold."""
    rng = np.random.default_rng(0)
    tables = {"words": rng.normal(size=(50, SIZE))}
    for number in range(3):
        tables[f"w{number}"] = rng.normal(size=(SIZE, SIZE)) / SIZE**0.5
    tables["w1"][0] *= 4000.0  # One input is never there, but its weights set the scale of every column.
    tables["words"][:, 0] = 0.0
    nodes = [helper.make_node("Gather", ["words", "input_ids"], ["h0"], name="/words/Gather")]
    for number in range(3):
        path = f"/body/layer.{number}/dense"
        nodes.append(helper.make_node("MatMul", [f"h{number}", f"w{number}"], [f"m{number}"], name=f"{path}/MatMul"))
        ending = f"h{number + 1}" if number < 2 else "logits"
        # tanh(0) is 0, so the first number stays 0 where the first column of the weights is.
        nodes.append(helper.make_node("Tanh", [f"m{number}"], [ending], name=f"{path}/Tanh"))
    tables["w0"][:, 0] = 0.0
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", SIZE])],
            [numpy_helper.from_array(table.astype(np.float32), name) for name, table in tables.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    made.ir_version = 8
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def feeds() -> list[Feed]:
    rng = np.random.default_rng(1)
    return [{"input_ids": rng.integers(0, 50, (1, length))} for length in (5, 9, 20, 33)]


@pytest.mark.parametrize(
    ("scheme", "free"), [("reduced", True), ("u8u8", True), ("vnni", False)], ids=["reduced", "u8u8", "vnni"]
)
@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_sums_of_products_stay_in_sixteen_bits(
    graph: Path, feeds: list[Feed], scheme: str, free: bool, static: bool, tmp_path: Path
) -> None:
    report = quantise(graph, tmp_path / "q.onnx", attrs.evolve(SCHEMES[scheme], static=static), feeds, limit=1e9)
    assert report["saturation_free"] is cannot_saturate(tmp_path / "q.onnx") is free
    assert (tmp_path / "q.onnx").stat().st_size < graph.stat().st_size


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_the_part_that_loses_accuracy_stays_in_floats(
    graph: Path, feeds: list[Feed], static: bool, tmp_path: Path
) -> None:
    scheme = attrs.evolve(SCHEMES["reduced"], static=static)
    loose = quantise(graph, tmp_path / "loose.onnx", scheme, feeds, limit=1e9)
    assert loose["error"] > 0.3
    assert loose["kept_in_floats"] == []
    report = quantise(graph, tmp_path / "q.onnx", scheme, feeds, limit=0.15)
    assert report["kept_in_floats"][0] == "body.layer.1.dense"
    assert max(report["cost_of_each"], key=report["cost_of_each"].__getitem__) == "body.layer.1.dense"
    assert report["error"] <= 0.15 < report["error_all_int8"]
    assert relative_error(run_all(graph, feeds), run_all(tmp_path / "q.onnx", feeds)) == pytest.approx(
        report["error"], abs=1e-4
    )
    kept = float_tensors(onnx.load(tmp_path / "q.onnx"))
    assert "w1" in kept
    assert "w0" not in kept


def test_weights_come_back_within_half_a_step(graph: Path, tmp_path: Path) -> None:
    quantise(graph, tmp_path / "q.onnx", SCHEMES["vnni"])
    before = {t.name: numpy_helper.to_array(t) for t in onnx.load(graph).graph.initializer}
    after = float_tensors(dequantised(onnx.load(tmp_path / "q.onnx")))
    assert set(after) == set(before)
    for name in ("w0", "w2"):
        step = np.abs(before[name]).max(axis=0) / 127
        assert (np.abs(before[name] - after[name]) <= step * 0.51).all()


def test_embeddings_as_asked(graph: Path, tmp_path: Path) -> None:
    report = quantise(graph, tmp_path / "q.onnx", attrs.evolve(SCHEMES["reduced"], embeddings=False))
    assert report["embeddings"] == "fp32"
    assert "words" in float_tensors(onnx.load(tmp_path / "q.onnx"))


def test_static_needs_examples(graph: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs calibration data"):
        quantise(graph, tmp_path / "q.onnx", attrs.evolve(SCHEMES["reduced"], static=True))


def test_half_precision(graph: Path, feeds: list[Feed], tmp_path: Path) -> None:
    assert half(graph, tmp_path / "h.onnx")["weights"] == "float16"
    tensors = onnx.load(tmp_path / "h.onnx").graph.initializer
    assert all(tensor.data_type != TensorProto.FLOAT for tensor in tensors)
    assert relative_error(run_all(graph, feeds), run_all(tmp_path / "h.onnx", feeds)) < 0.01


@pytest.mark.parametrize(
    ("node", "part"),
    [
        ("/roberta/encoder/layer.3/attention/self/query/MatMul", "roberta.encoder.layer.3.attention"),
        ("/decoder/block.0/layer.2/DenseReluDense/wo/MatMul", "decoder.block.0.layer.2.DenseReluDense"),
        ("/layers.5/qkv/MatMul", "layers.5.qkv"),
        ("/lm_head/MatMul", "lm_head"),
        ("MatMul_7", "MatMul_7"),
    ],
)
def test_parts(node: str, part: str) -> None:
    assert part_of(node) == part


@pytest.mark.parametrize(("inner", "block"), [(16, 16), (40, 64), (256, 256), (300, 128), (512, 256)])
def test_blocks_come_back_within_half_a_step(inner: int, block: int) -> None:
    weight = np.random.default_rng(inner).normal(size=(inner, 7)).astype(np.float32)
    weight[:, 3] = 0.0
    stored, scales = in_blocks(weight, block)
    assert stored.shape == (7, -(-inner // block), block)
    found = from_blocks(stored, scales, inner)
    assert found.shape == weight.shape
    steps = np.repeat(scales, block, axis=1)[:, :inner].T
    assert (np.abs(found - weight) <= 0.501 * steps).all()
    np.testing.assert_allclose(from_blocks(*in_blocks(found, block), inner), found, rtol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_in_blocks(tmp_path: Path, transposed: bool, bias: bool) -> None:
    """Close to the float product, row by row, and read back as a product of floats."""
    rng = np.random.default_rng(0)
    weight, rows = rng.normal(size=(512, 24)).astype(np.float32), rng.normal(size=(6, 512)).astype(np.float32)
    tensors = {"w": weight.T if transposed else weight} | ({"b": np.arange(24, dtype=np.float32)} if bias else {})
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["x", *tensors], ["y"], name="/dense/Gemm", transB=int(transposed))],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 512])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 24])],
            [numpy_helper.from_array(np.ascontiguousarray(each), name) for name, each in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    made.ir_version = 8
    onnx.save(made, tmp_path / "float.onnx")
    write_blocks(tmp_path / "float.onnx", tmp_path / "blocks.onnx", ["/dense/Gemm"])
    assert {tensor.name for tensor in onnx.load(tmp_path / "blocks.onnx").graph.initializer} & {"w"} == set()
    onnx.save(dequantised(onnx.load(tmp_path / "blocks.onnx")), tmp_path / "back.onnx")
    feed = [{"x": rows}]
    expected = run_all(tmp_path / "float.onnx", feed)
    for name in ("blocks", "back"):
        assert relative_error(expected, run_all(tmp_path / f"{name}.onnx", feed)) < 0.02
    together = run_all(tmp_path / "blocks.onnx", [{"x": np.concatenate([rows, 1000 * rows])}])[0][0][:6]
    alone = run_all(tmp_path / "blocks.onnx", [{"x": row[None]} for row in rows])
    np.testing.assert_allclose(together, np.concatenate([each[0] for each in alone]), rtol=1e-4, atol=1e-3)


def test_a_table_that_is_the_output_matrix_too_is_rounded_with_it(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(40, SIZE)).astype(np.float32)
    made = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Gather", ["table", "input_ids"], ["h"], name="/words/Gather"),
                helper.make_node("MatMul", ["h", "head"], ["logits"], name="/lm_head/MatMul"),
            ],
            "g",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", 40])],
            [numpy_helper.from_array(table, "table"), numpy_helper.from_array(table.T.copy(), "head")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    made.ir_version = 8
    places = {"decoder": tmp_path / "float.onnx"}
    onnx.save(made, places["decoder"])
    assert round_table(places, {"decoder": tmp_path / "rounded.onnx"})
    scheme = attrs.evolve(SCHEMES["reduced"], embeddings=False, blocks="all")
    report = quantise(tmp_path / "rounded.onnx", tmp_path / "q.onnx", scheme)
    assert report["saturation_free"]
    back = float_tensors(dequantised(onnx.load(tmp_path / "q.onnx")))
    np.testing.assert_allclose(back["head"].T, back["table"], rtol=1e-5)
    assert 0 < np.abs(back["table"] - table).max() < 0.02
    made.graph.initializer[1].CopyFrom(numpy_helper.from_array(2 * table.T.copy(), "head"))
    onnx.save(made, places["decoder"])
    assert not round_table(places, places)


def test_blocks_have_no_static_ranges(graph: Path, feeds: list[Feed], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no static ranges"):
        quantise(graph, tmp_path / "q.onnx", attrs.evolve(SCHEMES["reduced"], static=True, blocks="all"), feeds)

"""Int8 graphs on processors without VNNI, emulated: nothing saturates, and the answers are those of this processor.

``qemu-x86_64`` (Debian's qemu-user) emulates processors up to AVX2; onnxruntime finds no VNNI there and chooses the
kernels that add in 16 bits. AVX-512 without VNNI cannot be emulated so.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

pytest.importorskip("onnx", reason="needs the train extra")

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch_training.export.dequantise import dequantised
from codehunch_training.export.quantisation import SCHEMES, apply

QEMU = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64, of Debian's package qemu-user"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="runs this Python, which is for another processor"),
]
NATIVE = "this one"
PROCESSORS = {"AVX2": "Haswell", "SSE4.2": "Nehalem"}
"""qemu's names of the oldest processors with these instructions."""
SCHEME_NAMES = ("reduced", "vnni", "u8u8", "blocks")
CONTROL = "bare-vnni"
"""Eight-bit weights without the engine's settings: what saturates."""
INNER, OUTER = 512, 48
Outputs = dict[str, dict[str, NDArray[np.float32]]]


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product of the largest numbers in every scheme, the graphs of the bundles that ship, and their inputs."""
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "feeds").mkdir()
    rows, weight = extremes()
    onnx.save(product(weight), folder / "float.onnx")
    for name in SCHEME_NAMES:
        scheme = attrs.evolve(SCHEMES["reduced"], blocks="all") if name == "blocks" else SCHEMES[name]
        apply(folder / "float.onnx", folder / f"{name}.onnx", scheme)
    shutil.copyfile(folder / "vnni.onnx", folder / f"{CONTROL}.onnx")
    for name in (*SCHEME_NAMES, CONTROL):
        np.savez(folder / "feeds" / name, x=rows)
    rng = np.random.default_rng(0)
    defects, generation = shipped("defects"), shipped("generation")
    assert defects.manifest.defects is not None
    assert generation.manifest.generation is not None
    copy(defects.path / defects.manifest.defects.graph, folder / "detector.onnx")
    ids = rng.integers(5, 2000, (1, 40))
    np.savez(folder / "feeds" / "detector", **feed_of(folder / "detector.onnx", ids))
    copy(generation.path / generation.manifest.generation.decoder, folder / "writer.onnx")
    for weights in generation.path.glob("*_data"):
        copy(weights, folder / weights.name)
    np.savez(folder / "feeds" / "writer", **feed_of(folder / "writer.onnx", ids))
    for name in ("detector", "writer"):
        onnx.save(dequantised(onnx.load(folder / f"{name}.onnx")), folder / f"exact-{name}.onnx")
        shutil.copyfile(folder / "feeds" / f"{name}.npz", folder / "feeds" / f"exact-{name}.npz")
    return folder


@pytest.fixture(scope="module", name="answers")
def _answers(folder: Path) -> dict[str, Outputs]:
    """Outputs of every graph by name, for this processor and for the emulated ones."""
    found = {NATIVE: run(folder, [])}
    assert QEMU is not None
    for name, model in PROCESSORS.items():
        found[name] = run(folder, [QEMU, "-cpu", model])
    return found


def run(folder: Path, before: list[str]) -> Outputs:
    command = [*before, sys.executable, str(Path(__file__).with_name("emulated.py")), str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.stem: dict(np.load(path)) for path in sorted((folder / "out").glob("*.npz"))}


@pytest.mark.parametrize("name", SCHEME_NAMES)
@pytest.mark.parametrize("processor", [NATIVE, *PROCESSORS])
def test_the_largest_products_are_added_up(answers: dict[str, Outputs], processor: str, name: str) -> None:
    rows, weight = extremes()
    expected = rows.astype(np.float64) @ weight
    found = answers[processor][name]["y"]
    # Half a step of a weight and of an activation, of 64 and 127 steps, each in the same direction: under 2 %.
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(rows).sum(axis=1).max())


def test_the_emulated_processor_saturates_where_it_may(answers: dict[str, Outputs]) -> None:
    """Else the other tests would show nothing: eight bits, signed, without the engine's settings."""
    rows, weight = extremes()
    expected = rows.astype(np.float64) @ weight
    right, wrong = answers[NATIVE], answers["AVX2"]
    assert np.abs(wrong[CONTROL]["y"] - expected).max() > 0.3 * np.abs(expected).max()
    if "avx512_vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        assert np.abs(right[CONTROL]["y"] - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["detector", "writer"])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_bundles_that_ship_are_as_exact(answers: dict[str, Outputs], processor: str, name: str) -> None:
    """Kernels differ in what they round; none may be further from the floats than the rounding of this processor's."""
    exact = answers[NATIVE][f"exact-{name}"]
    assert error(exact, answers[processor][name]) < 1.25 * error(exact, answers[NATIVE][name]) + 0.01


def extremes() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows [rows, in] from 0 to 255 and a matrix [in, out] of -1 and 1, with whole rows and columns of the largest."""
    rng = np.random.default_rng(0)
    rows = rng.choice([0.0, 255.0], (5, INNER))
    rows[0] = 255.0
    weight = rng.choice([-1.0, 1.0], (INNER, OUTER))
    weight[:, 0], weight[:, 1] = 1.0, -1.0
    return rows.astype(np.float32), weight.astype(np.float32)


def product(weight: NDArray[np.float32]) -> onnx.ModelProto:
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"], name="/product/MatMul")],
            "product",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", INNER])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", OUTER])],
            [numpy_helper.from_array(weight, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def shipped(task: str) -> Bundle:
    bundle = default_bundle(task)
    assert bundle is not None
    return bundle


def feed_of(path: Path, ids: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    """One row for every input of a graph: tokens, a mask of ones, states of an encoder."""
    feed: dict[str, NDArray[np.generic]] = {}
    for node in onnx.load(path, load_external_data=False).graph.input:
        shape = node.type.tensor_type.shape.dim
        if node.name == "encoder_hidden_states":
            feed[node.name] = np.random.default_rng(1).normal(size=(*ids.shape, shape[2].dim_value)).astype(np.float32)
        else:
            feed[node.name] = np.ones_like(ids) if "mask" in node.name else ids
    return feed


def copy(path: Path, place: Path) -> None:
    """A copy: onnxruntime reads no weights through a link that leads out of the folder."""
    shutil.copyfile(path, place)


def error(expected: dict[str, NDArray[np.float32]], found: dict[str, NDArray[np.float32]]) -> float:
    """Root mean square difference over the spread of what was expected; the worst output counts."""
    return max(
        float(np.sqrt(np.mean((right - found[name]) ** 2)) / max(right.std(), 1e-9)) for name, right in expected.items()
    )

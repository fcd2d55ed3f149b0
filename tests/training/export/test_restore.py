"""Bundles back to PyTorch checkpoints: every parameter in its place, or a sentence that says why not."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the train extra")

import numpy as np  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from codehunch.bundles.bundle import Bundle, load_bundle  # noqa: E402
from codehunch.bundles.manifest import Task  # noqa: E402
from codehunch.bundles.store import default_bundle  # noqa: E402
from codehunch.cli.app import run  # noqa: E402
from codehunch_training.export.agreement import compare  # noqa: E402
from codehunch_training.export.dequantise import dequantise, dequantised  # noqa: E402
from codehunch_training.export.restore import blank_model, disagreement, fill, restore  # noqa: E402

TREE = Path(__file__).parents[3] / "server" / "codehunch" / "bundles"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("restored")
    found = {}
    for task in ("defects", "generation"):
        bundle = default_bundle(task)
        assert bundle is not None
        found[task] = restore(bundle, out / task)
    return found


@pytest.mark.parametrize("task", ["defects", "generation"])
def test_the_embedded_bundles_become_checkpoints(checkpoints: dict[str, Path], task: str) -> None:
    folder = checkpoints[task]
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "codehunch.json"} <= names
    facts = json.loads((folder / "codehunch.json").read_text())
    assert facts["task"] == task
    # Exactly dequantised weights: only the order of float additions is left to differ.
    assert facts["logit_difference"] < 1e-4


@pytest.mark.parametrize(("task", "metric", "near"), [("defects", "auc_peak", 0.06), ("generation", "loss", 0.05)])
def test_metrics_of_both_on_the_same_functions(
    checkpoints: dict[str, Path], task: Task, metric: str, near: float
) -> None:
    bundle = default_bundle(task)
    assert bundle is not None
    found = compare(bundle, checkpoints[task], TREE, 24)
    assert found["bundle"]["n"] == found["checkpoint"]["n"] >= 4
    assert found["checkpoint"][metric] == pytest.approx(found["bundle"][metric], abs=near)


def test_training_goes_on_from_the_checkpoint(checkpoints: dict[str, Path]) -> None:
    from codehunch_training.models.encoder import DefectModel

    model = DefectModel.from_pretrained(checkpoints["defects"])
    ids = torch.randint(10, 1000, (2, 24), generator=torch.Generator().manual_seed(0))
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "identifier_ids": ids % 5,
        "token_labels": torch.zeros_like(ids),
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    losses = []
    for _ in range(4):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_wrong_place_is_seen(checkpoints: dict[str, Path]) -> None:
    bundle = default_bundle("defects")
    assert bundle is not None
    assert bundle.manifest.defects is not None
    graph = dequantised(onnx.load(bundle.path / bundle.manifest.defects.graph))
    model = blank_model(bundle)
    fill(model, [(model, graph)])
    assert disagreement(model, {"model": graph}, bundle, 2) < 1e-4
    with torch.no_grad():
        first, second = model.layers[0].output.weight, model.layers[1].output.weight
        kept = first.clone()
        first.copy_(second)
        second.copy_(kept)
    assert disagreement(model, {"model": graph}, bundle, 2) > 0.01


@pytest.mark.parametrize(
    ("values", "scale", "zero_point", "axis", "expected"),
    [
        ([[0, 128], [255, 1]], [0.5], [128], 0, [[-64.0, 0.0], [63.5, -63.5]]),
        ([[1, 2], [3, 4]], [1.0, 10.0], [0, 0], 1, [[1.0, 20.0], [3.0, 40.0]]),
        ([[1, 2], [3, 4]], [1.0, 10.0], [1, 2], 0, [[0.0, 1.0], [10.0, 20.0]]),
    ],
)
def test_dequantise(
    values: list[list[int]], scale: list[float], zero_point: list[int], axis: int, expected: object
) -> None:
    found = dequantise(np.array(values, np.uint8), np.array(scale, np.float32), np.array(zero_point, np.uint8), axis)
    assert found.tolist() == expected


def test_an_operator_that_cannot_be_read_back() -> None:
    node = helper.make_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft", K=4, N=4, bits=4, block_size=16)
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.zeros((4, 4), np.uint8), "w")
    with pytest.raises(ValueError, match="MatMulNBits"):
        dequantised(helper.make_model(helper.make_graph([node], "g", places[:1], places[1:], [weight])))


def test_a_bundle_that_does_not_say_what_it_was(tmp_path: Path) -> None:
    bundle = default_bundle("defects")
    assert bundle is not None
    anonymous = Bundle(bundle.path, attrs.evolve(bundle.manifest, provenance={}))
    with pytest.raises(ValueError, match=r"does not say which model.*provenance\.model\.config"):
        restore(anonymous, tmp_path / "out")
    larger = dict(bundle.manifest.provenance["recipe"], layers=7)
    other = Bundle(bundle.path, attrs.evolve(bundle.manifest, provenance={"recipe": larger}))
    with pytest.raises(ValueError, match=r"no tensor of the graph fits layers\.6\."):
        restore(other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = default_bundle("defects")
    assert bundle is not None
    out = tmp_path / "checkpoint"
    assert run(["bundles", "restore", str(bundle.path), "--out", str(out), "--compare", str(TREE), "--count", "4"]) == 0
    printed = capsys.readouterr().out
    assert "as a PyTorch checkpoint" in printed
    assert "auc_peak" in printed
    assert load_bundle(bundle.path).manifest.id in printed
    assert run(["bundles", "restore", "absent", "--out", str(out)]) == 2
    assert "no such bundle" in capsys.readouterr().err

"""Runs of every task to bundles, and bundles back to checkpoints."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from codehunch.bundles import store  # noqa: E402
from codehunch.bundles.bundle import load_bundle  # noqa: E402
from codehunch.cli.app import run  # noqa: E402
from codehunch.syntax.parsing import parse  # noqa: E402
from codehunch_training.bases import load_base  # noqa: E402
from codehunch_training.corpus.injection import definition, inject  # noqa: E402
from codehunch_training.export.restore import restore  # noqa: E402
from codehunch_training.export.subject import standard_library  # noqa: E402
from codehunch_training.recipe import load_recipe  # noqa: E402
from codehunch_training.training import train  # noqa: E402

TINY = (
    "model.hidden_size=32", "model.layers=2", "model.decoder_layers=1", "model.heads=4", "model.intermediate_size=48",
    "model.vocabulary=500", "model.max_length=256", "model.stride=32", "batch.tokens=1024", "schedule.steps=6",
    "schedule.evaluate_every=6", "generation.max_target=16", "generation.evaluation_rows=2",
)  # fmt: skip


def rows() -> Iterator[dict[str, Any]]:
    """Functions of the standard library, every other one with an injected defect, and what each is called."""
    rng = random.Random(0)
    for number, text in enumerate(standard_library(120)):
        parsed = parse(text)
        node = definition(parsed)
        injected = inject(parsed, node, 1, rng) if node is not None and number % 2 else None
        name = text.partition("def ")[2].partition("(")[0]
        found = {"text": text, "label": 0, "spans": [], "target": name, "language": "python"}
        if injected is not None:
            at = next(iter(injected.labels))
            found |= {"text": injected.text, "label": 1, "spans": [[at, at + 1]]}
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    every = list(rows())
    for name, part in (("train", every[:60]), ("valid", every[60:72]), ("test", every[72:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return folder


TASKS = {
    "classify": ("classify", "new:roberta", "defects"),
    "modern": ("classify", "new:modern", "defects"),
    "ngrams": ("classify", "new:ngrams", "defects"),
    "tokens": ("tokens", "new:roberta", "defects"),
    "defects": ("defects-joint", "new:roberta", "defects"),
    "search": ("search", "new:roberta", "embedding"),
    "generation": ("generation-new-decoder", "new:roberta", "generation"),
    "causal": ("causal", "new:gpt2", "generation"),
}


def trained(name: str, data: Path, folder: Path) -> Path:
    recipe, base, _ = TASKS[name]
    single = ("objective.contrastive_weight=0",) if name == "defects" else ()  # There are no twins.
    settings = load_recipe(recipe, (*TINY, *single))
    if name == "generation":  # A decoder beside a checkpoint's encoder, as for CodeBERT.
        train("classify", base, data, load_recipe("classify", TINY), folder / "encoder")
        base = str(folder / "encoder" / "best")
    task = name if name not in ("modern", "ngrams") else "classify"
    train(task, base, data, settings, folder / "run")
    return folder / "run"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_run_becomes_a_bundle_and_a_checkpoint_again(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    made = trained(name, data, tmp_path)
    out = tmp_path / "bundle"
    # After six steps a model's metrics on a few rows are chance: here they may move.
    loose = ("--bound", "metric_loss=0.5")
    assert run(["export", str(made), "--out", str(out), *loose]) == 0, capsys.readouterr().err
    manifest = load_bundle(out).manifest
    load_bundle(out).verify()
    assert manifest.task == TASKS[name][2]
    # How it came about goes along.
    about = json.loads((made / "run.json").read_text())
    kept = ("seed", "data", "identity", "versions", "revision", "hardware", "steps_done")
    assert {key: manifest.provenance[key] for key in kept} == {key: about[key] for key in kept}
    assert manifest.metrics["training_validation"] == about["metrics"]
    parity = manifest.parity
    assert parity["onnx_fp32"]["agreement"] == 1.0
    assert parity["onnx_int8"]["agreement"] >= parity["bounds"]["agreement"]
    assert "metrics" in parity["onnx_int8"]
    graphs = manifest.quantization["graphs"]
    assert all(row["ir"] >= 8 and row["opset"]["ai.onnx"] >= 17 for row in graphs.values())
    card = (out / "MODEL_CARD.md").read_text()
    assert "onnx int8" in card
    if manifest.defects is not None:
        assert "clean lines" in card
        assert set(manifest.defects.thresholds) == set(manifest.defects.alarms_per_kloc) == {"low", "medium", "high"}
    code = run(["bundles", "install", str(out)])
    assert code == (2 if manifest.task == "embedding" else 0)
    if name in ("classify", "defects"):
        source = tmp_path / "source.py"
        source.write_text(next(rows())["text"])
        assert run(["check", str(source)]) in (0, 1)
    checkpoint = restore(out, tmp_path / "checkpoint")
    assert json.loads((checkpoint / "codehunch.json").read_text())["logit_difference"] < 1e-3
    if name in ("classify", "causal"):
        assert load_base(str(checkpoint)).tokenizer.pad_token is not None


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("classify", data, tmp_path_factory.mktemp("finished"))


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        (("--fp32",), "method", "none"),
        (("--static", "--scheme", "u8u8"), "method", "onnxruntime static int8, per channel"),
    ],
)
def test_other_precisions(more: tuple[str, ...], key: str, value: str, finished: Path, tmp_path: Path) -> None:
    assert run(["export", str(finished), "--out", str(tmp_path / "b"), *more]) == 0
    manifest = load_bundle(tmp_path / "b").manifest
    assert manifest.quantization[key] == value
    assert manifest.parity["onnx_fp32"]["agreement"] == 1.0


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--bound", "difference=1e-9"), 1, "onnx_int8: a probability differs by"),
        (("--bound", "fp32_difference=0"), 1, "onnx_fp32: a probability differs by"),
        (("--data", "absent"), 2, "absent"),
        (("--scheme", "u4"), 2, "choose reduced, vnni, u8u8"),
        (("--bound", "agreement=much"), 2, "write NAME=NUMBER"),
    ],
)
def test_the_gate_stays_shut_and_nothing_is_written(
    more: tuple[str, ...], code: int, said: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert run(["export", str(finished), "--out", str(out), *more]) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(tmp_path), "--out", str(tmp_path / "b")]) == 2
    assert "codehunch.json is missing" in capsys.readouterr().err

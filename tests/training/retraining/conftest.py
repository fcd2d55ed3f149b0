"""A tiny repository with a history, and bundles small enough to be retrained in seconds."""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

import attrs
import torch
from retraining_tools import make_repository

from codehunch.bundles import store
from codehunch.bundles.bundle import write_bundle
from codehunch.defects.surroundings import Standing
from codehunch_training.export.defects import export_graph, quantize
from codehunch_training.models.encoder import DefectConfig, DefectModel


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("work") / "tiny")


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A defect bundle like the one that ships, with a model of two thin layers that knows nothing."""
    shipped = store.default_bundle("defects")
    assert shipped is not None
    spec = shipped.manifest.defects
    assert spec is not None
    torch.manual_seed(0)
    config = DefectConfig(
        vocab_size=10_000, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        token_labels=list(spec.labels), initializer_range=0.2, standings=len(Standing),
    )  # fmt: skip
    model = DefectModel(config)
    for parameter in model.parameters():  # Equal norms would be one tensor in the graph.
        parameter.data += 0.05 * torch.randn_like(parameter)
    work, out = tmp_path_factory.mktemp("graph"), tmp_path_factory.mktemp("bundle") / "small"
    out.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization = quantize(export_graph(model, work), out / "model.onnx")
    shutil.copy(shipped.path / "tokenizer.json", out / "tokenizer.json")
    described = {"architecture": "DefectModel", "config": model.config.to_dict()}
    # Looks at a few places of every function, whatever the model that knows nothing makes of them.
    evolved = attrs.evolve(spec, graph="model.onnx", candidate=0.3, confidence={})
    told = attrs.evolve(shipped.manifest.encoding, standings=True, standings_known=len(Standing))
    manifest = attrs.evolve(
        shipped.manifest, id="small", version="1", defects=evolved, quantization=quantization, metrics={},
        provenance={"model": described}, encoding=told,
    )  # fmt: skip
    write_bundle(out, manifest)
    return out


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_bundle: Path) -> Path:
    """A store of its own in which the small bundle is active."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    store.install(small_bundle)
    return tmp_path / "home"

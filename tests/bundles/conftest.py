"""Small bundles: the store never runs a graph, so any bytes stand for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, GenerationSpec, InputSpec, Manifest

Make = Callable[..., Bundle]

DEFECTS = DefectSpec(
    labels=("clean", "variable-misuse"),
    sequence_labels=("clean", "variable-misuse"),
    token_head=True,
    temperature=1.5,
    thresholds={"low": 0.9, "medium": 0.8, "high": 0.6},
    alarms_per_kloc={"low": 0.1, "medium": 0.5, "high": 2.0},
)
GENERATION = GenerationSpec(
    encoder="encoder.onnx",
    decoder="decoder.onnx",
    decoder_with_past="decoder_with_past.onnx",
    decoder_start_token_id=0,
    eos_token_id=2,
    pad_token_id=1,
    max_prompt=512,
    max_new=128,
    thresholds={"confidence": 0.4},
)


def manifest(**changes: object) -> Manifest:
    """A valid manifest of a defect bundle, with these fields changed."""
    base = Manifest(
        id="small",
        version="1.0",
        task="defects",
        languages=("python",),
        created="2025-01-01T00:00:00Z",
        license="Apache-2.0",
        encoding=InputSpec(kind="lexical"),
        defects=DEFECTS,
        metrics={"top1": 0.5, "by_kind": {"variable-misuse": [1, 2.5, None]}},
    )
    return attrs.evolve(base, **changes)  # type: ignore[arg-type]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a bundle folder; ``weights`` makes it another model, ``task`` another task."""

    def build(bundle_id: str = "small", version: str = "1.0", weights: str = "a", task: str = "defects") -> Bundle:
        folder = tmp_path / "made" / f"{bundle_id}-{version}-{weights}-{task}"
        folder.mkdir(parents=True)
        (folder / "tokenizer.json").write_text("{}")
        graphs = ["model.onnx"] if task == "defects" else ["encoder.onnx", "decoder.onnx", "decoder_with_past.onnx"]
        for graph in graphs:
            (folder / graph).write_text(weights * 1000)
        spec = {"defects": DEFECTS, "generation": None} if task == "defects" else {"generation": GENERATION}
        changes = {"defects": None, **spec, "task": task, "id": bundle_id, "version": version}
        return write_bundle(folder, manifest(**changes))

    return build


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user folder and a package without embedded bundles; returns the store's folder."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setattr(store, "_embedded_folder", lambda task: tmp_path / "embedded" / task)
    return tmp_path / "home" / "bundles"


@pytest.fixture
def embedded(home: Path, make: Make, tmp_path: Path) -> Bundle:
    """A defect bundle that came with the package."""
    (tmp_path / "embedded").mkdir()
    made = make("came-along", weights="e")
    made.path.rename(tmp_path / "embedded" / "defects")
    return store.load_bundle(tmp_path / "embedded" / "defects")

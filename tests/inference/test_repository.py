"""What a model server loads: Triton's own description of a model, MLServer's settings, and graphs that run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch.cli import main
from codehunch.inference.classifier import Classifier
from codehunch.inference.fallback import model_name
from codehunch.inference.repository import RUNTIME, write_repository
from codehunch.inference.session import create_session

TASKS = ("defects", "generation")


def bundle_of(task: str) -> Bundle:
    found = default_bundle(task)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.fixture(scope="module", name="repository")
def _repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for task in TASKS:
        write_repository(bundle_of(task), folder)
    return folder


@pytest.fixture(scope="module", name="protocol")
def _protocol() -> ModuleType:
    """Triton's messages. The client around them needs grpc, so only this file of it is read."""
    pytest.importorskip("google.protobuf", reason="needs protobuf, which onnx brings")
    package = importlib.util.find_spec("tritonclient")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs tritonclient, of the dev extra")
    path = Path(package.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_triton_reads_the_description(repository: Path, protocol: ModuleType) -> None:
    from google.protobuf import text_format

    folders = sorted(path for path in repository.iterdir())
    assert len(folders) == 4
    for folder in folders:
        config = text_format.Parse((folder / "config.pbtxt").read_text(), protocol.ModelConfig())
        assert config.name == folder.name
        assert (config.backend, config.max_batch_size) == ("onnxruntime", 0)
        assert config.default_model_filename == "model.onnx"
        # The graph beside it is the one that is described, and it runs from there.
        session = create_session(folder / "1" / "model.onnx", 1)
        names = {"tensor(int64)": protocol.TYPE_INT64, "tensor(float)": protocol.TYPE_FP32}
        for ports, nodes in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
            assert [(port.name, port.data_type) for port in ports] == [(n.name, names[n.type]) for n in nodes]
            for port, node in zip(ports, nodes, strict=True):
                assert len(port.dims) == len(node.shape)
                assert all(size == -1 or size == fixed for size, fixed in zip(port.dims, node.shape, strict=True)), (
                    "a fixed size differs"
                )


def test_mlserver_settings_name_the_same_tensors(repository: Path) -> None:
    for folder in repository.iterdir():
        settings = json.loads((folder / "model-settings.json").read_text())
        assert settings["name"] == folder.name
        assert settings["implementation"] == RUNTIME
        assert (folder / settings["parameters"]["uri"]).is_file()
        session = create_session(folder / settings["parameters"]["uri"], 1)
        assert [each["name"] for each in settings["inputs"]] == [node.name for node in session.get_inputs()]
        assert [each["name"] for each in settings["outputs"]] == [node.name for node in session.get_outputs()]


def test_the_exported_graph_is_the_bundles(repository: Path) -> None:
    bundle = bundle_of("defects")
    spec = bundle.manifest.defects
    assert spec is not None
    session = create_session(repository / model_name(bundle, spec.graph) / "1" / "model.onnx", 1)
    feed = {node.name: np.ones((1, 8), np.int64) for node in session.get_inputs()}
    own = create_session(bundle.path / spec.graph, 1).run(None, feed)
    for one, other in zip(session.run(None, feed), own, strict=True):
        np.testing.assert_array_equal(one, other)
    assert Classifier(bundle, 1).labels == spec.labels


def test_names_tell_bundles_and_graphs_apart() -> None:
    names = [
        model_name(bundle, graph)
        for bundle in map(bundle_of, TASKS)
        for graph in bundle.manifest.files
        if graph.endswith(".onnx")
    ]
    assert len(set(names)) == 4
    assert all(name.replace("-", "").replace("_", "").replace(".", "").isalnum() for name in names)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path / "home"))
    out = tmp_path / "models"
    for _ in range(2):  # Again: what is there is replaced.
        assert main(["bundles", "export", "embedded:defects", "--model-repository", str(out)]) == 0
    said = capsys.readouterr()
    (written,) = out.iterdir()
    assert said.out == f"wrote {written}\n" * 2
    assert "mlserver start" in said.err
    assert sorted(path.name for path in written.iterdir()) == ["1", "config.pbtxt", "model-settings.json"]


@pytest.mark.parametrize(
    ("reference", "words"),
    [("absent", "absent"), ("embedded:defects", "cannot be written")],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reference: str,
    words: str,
) -> None:
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path / "home"))
    (tmp_path / "file").write_text("in the way")
    assert main(["bundles", "export", reference, "--model-repository", str(tmp_path / "file" / "models")]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1

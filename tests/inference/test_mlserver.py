"""A real model server on this machine: MLServer, in an environment of its own, serves an exported bundle.

``CODEHUNCH_MLSERVER`` names a Python that has mlserver, onnxruntime and attrs; without it one is made with pip, under
``build/mlserver``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from codehunch.bundles.store import default_bundle
from codehunch.defects.detector import Detector
from codehunch.defects.options import CheckOptions
from codehunch.inference.fallback import model_name
from codehunch.inference.placement import Endpoint, Placement
from codehunch.inference.remote import RemoteError, RemoteModel
from codehunch.inference.repository import write_repository
from codehunch.syntax.text import SourceText

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="python")
def _python() -> str:
    given = os.environ.get("CODEHUNCH_MLSERVER")
    if given:
        return given
    python = ROOT / "build" / "mlserver" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        packages = ["mlserver==1.7.1", "onnxruntime", "attrs"]
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"MLServer cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return str(python)


@pytest.fixture(scope="module", name="url")
def _url(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    repository = tmp_path_factory.mktemp("repository")
    for task in ("defects", "generation"):
        bundle = default_bundle(task)  # type: ignore[arg-type]
        assert bundle is not None
        write_repository(bundle, repository)
    ports = {"http_port": free_port(), "grpc_port": free_port(), "metrics_port": free_port()}
    (repository / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports}))
    url = f"http://127.0.0.1:{ports['http_port']}"
    log = repository.parent / "mlserver.log"
    with log.open("wb") as stream:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "server"), "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(
            [python, "-m", "mlserver.cli.main", "start", str(repository)], stdout=stream, stderr=stream, env=environment
        )
        try:
            until_ready(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=2):
                return
        except OSError:
            assert server.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            time.sleep(0.5)


def test_mlserver_gives_the_same_findings(url: str) -> None:
    bundle = default_bundle("defects")
    assert bundle is not None
    source = SourceText((ROOT / "examples" / "textutils.py").read_text(encoding="utf-8"))
    options = CheckOptions(sensitivity="high")
    told: list[str] = []
    there = Detector(bundle, placement=Placement(1, Endpoint(url, timeout=60.0), told.append))
    found = there.check(source, "python", options)
    assert told == []
    assert found
    assert found == Detector(bundle, threads=1).check(source, "python", options)


def test_mlserver_says_why_it_refuses(url: str) -> None:
    import numpy as np

    bundle = default_bundle("defects")
    assert bundle is not None
    model = RemoteModel(Endpoint(url), model_name(bundle, "model.onnx"))
    with pytest.raises(RemoteError, match=r"answered 400.*attention_mask, identifier_ids"):
        model.run(["logits"], {"input_ids": np.ones((1, 8), np.int64)})
    with pytest.raises(RemoteError, match="answered 400"):
        model.run(
            ["logits"],
            {name: np.ones((1, 8), np.float32) for name in ("input_ids", "attention_mask", "identifier_ids")},
        )
    with pytest.raises(RemoteError, match="answered 404"):
        RemoteModel(Endpoint(url), "absent").tensors()

"""An environment that holds only onnxruntime-gpu, on a machine that may have no CUDA."""

from __future__ import annotations

import email
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.packaging.conftest import Environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


def requirements(wheel: Path) -> list[str]:
    """What the wheel asks for without extras, as pip takes it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    return [line for line in lines if "extra ==" not in line]


@pytest.fixture(scope="module")
def gpu_only(wheel: Path, new_environment: Callable[[str], Environment]) -> Environment:
    environment = new_environment("gpu")
    others = [line for line in requirements(wheel) if re.split(r"[<>=!~]", line)[0] != "onnxruntime"]
    environment.pip("install", "onnxruntime-gpu", *others)
    environment.pip("install", "--no-deps", wheel)
    return environment


def distributions(environment: Environment) -> set[str]:
    code = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    return set(environment.offline("python", "-c", code).stdout.split())


def test_findings_are_the_same_and_the_fallback_is_logged(installed: Environment, gpu_only: Environment) -> None:
    assert "onnxruntime" not in distributions(gpu_only)
    # The most findings the examples give: the more there are, the more there is to differ.
    command = ("codehunch", "check", "--format", "json", "--sensitivity", "high", "examples")
    plain, accelerated = installed.offline(*command), gpu_only.offline(*command)
    assert plain.returncode == accelerated.returncode == 1, accelerated.stderr
    assert json.loads(accelerated.stdout) == json.loads(plain.stdout)
    code = "import onnxruntime; print(onnxruntime.get_available_providers())"
    assert "CUDAExecutionProvider" in gpu_only.offline("python", "-c", code).stdout
    assert re.search(r"CUDAExecutionProvider.* falling back to (the CPU|CPUExecutionProvider)", accelerated.stderr)
    assert "CUDAExecutionProvider" not in plain.stderr


def test_the_doctor_follows_the_swap(gpu_only: Environment) -> None:
    def states() -> dict[str, str]:
        tree = json.loads(gpu_only.offline("codehunch", "doctor", "--json").stdout)
        return {check["name"]: check["status"] for check in tree["checks"] if "onnxruntime" in check["name"]}

    assert states() == {"onnxruntime-gpu": "ok"}
    gpu_only.pip("install", "onnxruntime")
    assert states() == {"onnxruntime wheels": "warning", "onnxruntime": "ok", "onnxruntime-gpu": "ok"}
    gpu_only.pip("uninstall", "--yes", "onnxruntime-gpu")
    assert states()["onnxruntime"] == "problem"
    gpu_only.pip("install", "--force-reinstall", "--no-deps", "onnxruntime")
    assert states() == {"onnxruntime": "ok"}

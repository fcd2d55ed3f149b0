"""One wheel for all packaging tests, built the way a release is: first the sdist, then the wheel from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


@attrs.frozen
class Environment:
    """A virtual environment of its own, with a home folder of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def pip(self, *arguments: str | Path) -> None:
        """Run pip with the tested versions; needs the package index, as any installation does."""
        command = [sys.executable, "-m", "pip", "--python", self.python, "--quiet", *arguments]
        environment = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
        assert result.returncode == 0, result.stderr

    def offline(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run an installed command without a network: in a network namespace of its own where the system allows."""
        program, *rest = command
        environment = {
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **dict.fromkeys(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], NOWHERE),
        }
        return subprocess.run(
            [*_without_network(), self.folder / "bin" / program, *rest],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            timeout=300,
        )


def _without_network() -> list[str]:
    unshare = shutil.which("unshare")
    prefix = [unshare, "--map-root-user", "--net"] if unshare else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
        return prefix
    return []


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    """Makes empty virtual environments by name."""

    def make(name: str) -> Environment:
        folder = tmp_path_factory.mktemp(name)
        venv.create(folder, symlinks=True)
        (folder / "home").mkdir()
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, new_environment: Callable[[str], Environment]) -> Environment:
    """A fresh environment with the wheel and what it asks for, nothing else."""
    environment = new_environment("installed")
    environment.pip("install", wheel)
    return environment

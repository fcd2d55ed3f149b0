"""The wheel: what it carries, what it asks for, and the main job in a fresh environment without a network."""

from __future__ import annotations

import email
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codehunch import __version__
from codehunch.bundles.manifest import DATA_SUFFIXES, TASKS, parse_manifest
from codehunch.defects.cache import FILE_NAME
from codehunch.defects.kinds import KINDS

if TYPE_CHECKING:
    from tests.packaging.conftest import Environment

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("wheel")  # one worker builds and installs it once


@pytest.fixture
def archive(wheel: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(wheel) as opened:
        yield opened


def test_every_module_is_there_and_nothing_else(archive: zipfile.ZipFile) -> None:
    expected = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "server", ROOT / "training")
        for path in root.rglob("*")
        if path.is_file() and path.suffix in (".py", ".toml", ".typed", ".html") and "__pycache__" not in path.parts
    }
    names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert expected <= names
    assert {name.partition("/")[0] for name in names} == {"codehunch", "codehunch_training"}
    assert {Path(name).suffix for name in names} <= {".py", ".typed", ".toml", ".html", ".bin", *DATA_SUFFIXES}
    assert "codehunch/py.typed" in names
    assert "codehunch_training/py.typed" in names
    assert any(re.fullmatch(r"codehunch_training/recipes/[\w-]+\.toml", name) for name in names)


def test_the_default_bundles_are_there_whole(archive: zipfile.ZipFile) -> None:
    for task in TASKS:
        folder = f"codehunch/bundles/default/{task}"
        manifest = parse_manifest(archive.read(f"{folder}/manifest.json"), folder)
        assert manifest.task == task
        assert "python" in manifest.languages
        for name, record in manifest.files.items():
            assert archive.getinfo(f"{folder}/{name}").file_size == record.size
        for section in ("metrics", "parity", "quantization", "provenance"):
            assert getattr(manifest, section), f"the {task} manifest has no {section}"


def test_every_rule_has_its_page(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    assert [kind.page for kind in KINDS if f"codehunch/rules/{kind.page}" not in names] == []


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 60e6


def test_the_base_install_asks_for_no_training_library(archive: zipfile.ZipFile) -> None:
    metadata = email.message_from_bytes(archive.read(f"codehunch-{__version__}.dist-info/METADATA"))
    requirements = metadata.get_all("Requires-Dist") or []
    base = {re.split(r"[\s<>=!~;\[]", line)[0] for line in requirements if "extra ==" not in line}
    assert "onnxruntime" in base
    assert not base & {"torch", "transformers", "optimum", "optimum-onnx", "onnx", "datasets", "accelerate"}
    assert any(line.startswith("torch") and "extra == 'train'" in line for line in requirements)
    assert set(metadata.get_all("Provides-Extra") or []) >= {"gpu", "train", "dev"}
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"codehunch-{__version__}.dist-info/licenses/LICENSE" in archive.namelist()


def test_the_main_job_offline(installed: Environment) -> None:
    result = installed.offline("codehunch", "check", "--format", "json", "--sensitivity", "high", "examples")
    assert result.returncode == 1, result.stderr
    rows = json.loads(result.stdout)
    assert rows
    assert {"filename", "code", "kind", "location", "end_location", "confidence", "fix"} <= set(rows[0])


def test_a_body_offline(installed: Environment) -> None:
    prompt = "Return the sum of two numbers."
    result = installed.offline("codehunch", "generate", "--prompt", prompt)
    assert result.returncode == 0, result.stderr
    assert "def " in result.stdout


def test_the_doctor_finds_a_fresh_install_healthy(installed: Environment) -> None:
    result = installed.offline("codehunch", "doctor", "--json")
    tree = json.loads(result.stdout)
    assert result.returncode == 0, [check for check in tree["checks"] if check["status"] != "ok"]
    assert tree["healthy"] is True


def test_nothing_is_left_in_the_home_folder(installed: Environment) -> None:
    """No telemetry of a library either: onnxruntime would keep a device id and a queue of events there. What is left
    is the cache of findings."""
    installed.offline("codehunch", "check", "examples")
    installed.offline("codehunch", "doctor")
    left = {path.relative_to(installed.folder / "home").parts[:3] for path in (installed.folder / "home").rglob("*")}
    folders = {".cache", ".local", "share", "codehunch"}
    assert {parts[-1] for parts in left} - folders <= {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"}


def test_no_training_library_was_installed(installed: Environment) -> None:
    for name in ("torch", "transformers"):
        result = installed.offline("python", "-c", f"import {name}")
        assert "ModuleNotFoundError" in result.stderr


def test_a_bundle_goes_out_and_in_again(installed: Environment, tmp_path: Path) -> None:
    out = tmp_path / "defects.tar.gz"
    for command in (
        ["export", "embedded:defects", "--out", str(out)],
        ["install", str(out)],
        ["verify"],
        ["rollback"],
    ):
        result = installed.offline("codehunch", "bundles", *command)
        assert result.returncode == 0, result.stderr


def test_the_training_command_names_its_extra(installed: Environment) -> None:
    result = installed.offline("codehunch", "bundles", "add", "some/checkpoint")
    assert result.returncode == 2
    assert "pip install 'codehunch[train]'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_version_is_instant(installed: Environment) -> None:
    def seconds(*command: str) -> float:
        start = time.perf_counter()
        result = installed.offline(*command)
        assert result.returncode == 0, result.stderr
        return time.perf_counter() - start

    assert installed.offline("codehunch", "--version").stdout == f"codehunch {__version__}\n"
    # No library is loaded for it. The best of several, in turn: other tests share the machine.
    turns = [(seconds("codehunch", "--version"), seconds("python", "-c", "import lsprotocol.types")) for _ in range(5)]
    assert min(ours for ours, _ in turns) < min(library for _, library in turns)

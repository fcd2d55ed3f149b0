"""What the editor tests share. They drive real editors with the installed wheel, the packaged extension and the
bundles that ship; tests/editors/install.sh puts all of it into one folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .examples import MISTAKES, Mistake

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDITORS = Path(os.environ.get("EDITORS", ROOT / "build" / "editors")).absolute()
CODEHUNCH = EDITORS / "server" / "bin" / "codehunch"

Drive = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def codehunch() -> Path:
    """The installed server."""
    if not CODEHUNCH.exists():
        pytest.fail(f"{CODEHUNCH} is missing: run tests/editors/install.sh")
    return CODEHUNCH


@pytest.fixture(scope="session")
def mistake(codehunch: Path, tmp_path_factory: pytest.TempPathFactory) -> Mistake:
    """The first mistake that the shipped model sees on its token, and no longer once it is mended."""
    folder = tmp_path_factory.mktemp("mistakes")
    for each in MISTAKES:
        wrong, right = (_findings(codehunch, folder / each.name, text) for text in (each.text, each.mended))
        place = (each.line + 1, each.column + 1)
        seen = [(row["location"]["row"], row["location"]["column"]) for row in wrong]
        if place in seen and all(row["location"]["row"] != place[0] for row in right):
            return each
    pytest.fail("the shipped model sees none of the mistakes in examples.py")


def _findings(codehunch: Path, file: Path, text: str) -> list[dict[str, Any]]:
    file.write_text(text, encoding="utf-8")
    command = [codehunch, "check", "--format", "json", "--sensitivity", "high", file]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


@pytest.fixture
def drive(codehunch: Path, tmp_path: Path) -> Drive:
    """Runs an editor and gives back the JSON lines its script wrote to $REPORT, an object each."""

    def run(*command: str | Path, seconds: float = 90, **variables: str) -> list[dict[str, Any]]:
        report = tmp_path / "report.jsonl"
        state = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        environment = {**os.environ, **state, "HOME": str(tmp_path), "CODEHUNCH": str(codehunch), "REPORT": str(report)}
        arguments = [str(part) for part in command]
        result = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=tmp_path,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            timeout=seconds,
        )
        written = report.read_text(encoding="utf-8") if report.exists() else ""
        rows = [json.loads(line) for line in written.splitlines()]
        if result.returncode != 0:
            pytest.fail(f"{arguments[0]} ended with {result.returncode}\n{result.stdout}\n{result.stderr}\n{written}")
        return rows

    return run


def named(rows: list[dict[str, Any]], name: str) -> Any:
    """What a script reported under a name."""
    found = [row[name] for row in rows if name in row]
    assert found, f"nothing was reported as {name}: {rows}"
    return found[-1]

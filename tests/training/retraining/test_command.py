"""The command's own part: options, missing libraries, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")


def codehunch(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before or 'pass'}; from codehunch.cli.app import run; sys.exit(run(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=600)


def test_help_names_everything() -> None:
    done = codehunch("retrain", "--help")
    assert done.returncode == 0
    for option in ("--repo", "--task", "--budget", "--recipe", "--dry-run", "--promote", "--feedback", "--watch"):
        assert option in done.stdout


@pytest.mark.parametrize("library", ["torch", "onnx", "transformers"])
def test_a_missing_library_names_its_extra(library: str) -> None:
    done = codehunch("retrain", "--repo", "/nowhere", before=f"sys.modules['{library}'] = None")
    assert done.returncode == 2
    assert "pip install 'codehunch[train]'" in done.stderr
    assert library in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "soon"), "write it like 30m"),
        (("--recipe", "none.toml"), "No such file"),
        (("--repo", "/nowhere"), "no such folder"),
    ],
)
def test_wrong_use_is_told_in_a_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    before = f"import os; os.environ['CODEHUNCH_HOME'] = {str(tmp_path)!r}; os.chdir({str(tmp_path)!r})"
    done = codehunch("retrain", *arguments, before=before)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""``codehunch retrain --status``: how the newest run stands, without the training package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRESS = {"stage": "mining", "done": 1, "total": 4, "detail": "a"}
RESULT = {"tasks": {"defects": {"promoted": True, "why": "found more"}}}


def _dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("files", "working", "tasks"),
    [
        ({}, False, None),
        ({"progress.json": {**PROGRESS, "pid": os.getpid()}}, True, None),
        ({"progress.json": {**PROGRESS, "pid": _dead()}}, False, None),
        ({"progress.json": {**PROGRESS, "pid": -1}}, False, None),
        ({"progress.json": "no object"}, False, None),
        ({"result.json": RESULT, "report.html": "<p>"}, False, RESULT["tasks"]),
    ],
)
def test_the_newest_run_counts(tmp_path: Path, files: dict[str, Any], working: bool, tasks: Any) -> None:
    older, run = (tmp_path / "retrain" / name for name in ("20260101-000000-a", "20260102-000000-b"))
    for folder in (older, run):
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}", encoding="utf-8")
    (older / "result.json").write_text(json.dumps({"tasks": {"generation": {}}}), encoding="utf-8")
    for name, content in files.items():
        (run / name).write_text(json.dumps(content), encoding="utf-8")
    found = _status(tmp_path)
    assert found["folder"] == str(run)
    assert found["runs"] == str(tmp_path / "retrain")
    assert (found["progress"] is not None) == working
    assert found["tasks"] == tasks
    assert found["report"] == (str(run / "report.html") if "report.html" in files else None)


def test_before_any_run(tmp_path: Path) -> None:
    found = _status(tmp_path)
    assert [found[key] for key in ("folder", "progress", "tasks", "report")] == [None] * 4


def _status(home: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "codehunch", "retrain", "--status"]
    environment = {**os.environ, "CODEHUNCH_HOME": str(home)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found

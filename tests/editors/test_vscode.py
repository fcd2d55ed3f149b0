"""VS Code: tests in its extension host, and what a person sees in the window."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from .codeserver import code_server, drive_browser
from .conftest import EDITORS, HERE, ROOT
from .examples import Mistake

pytestmark = pytest.mark.editors

# A busy machine may take longer for a body than people would wait; everything else is as it comes.
SETTINGS: dict[str, Any] = {"codehunch.generationSeconds": 60}
SHOTS = Path(os.environ.get("SHOTS", ROOT / "build" / "shots"))


def test_the_extension_is_small() -> None:
    assert (EDITORS / "codehunch.vsix").stat().st_size < 1_000_000


def test_in_the_extension_host(codehunch: Path, mistake: Mistake, bodies: dict[str, str], tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, mistake, "served", **bodies)
    with code_server(tmp_path / "state", workspace, SETTINGS, {"codehunch.server.path": str(codehunch)}) as address:
        rows = _host(address, workspace)
    _all_passed(rows, "restart")


@pytest.mark.parametrize("trusted", [True, False])
def test_without_a_server(codehunch: Path, mistake: Mistake, tmp_path: Path, trusted: bool) -> None:
    workspace = _workspace(tmp_path, mistake, "unserved", trusted=trusted)
    if not trusted:
        # A workspace that wants its own program to be run, by its settings and by its environment.
        program = workspace / ".venv" / "bin" / "codehunch"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\ntouch {workspace}/was-run\necho codehunch 9.9.9\n", encoding="utf-8")
        program.chmod(0o755)
        (workspace / ".vscode").mkdir()
        (workspace / ".vscode" / "settings.json").write_text(
            json.dumps({"codehunch.server.path": str(program)}), encoding="utf-8"
        )
    settings = {
        **SETTINGS,
        "codehunch.server.offerEnvironment": False,
        "security.workspace.trust.startupPrompt": "never",
    }
    path = "" if trusted else str(workspace / ".venv" / "bin")
    with code_server(tmp_path / "state", workspace, settings, {}, trust=trusted, path=path) as address:
        rows = _host(address, workspace)
    _all_passed(rows, "nothing of the workspace was run")


def test_the_extension_installs_a_server(codehunch: Path, mistake: Mistake, tmp_path: Path) -> None:
    """From a folder of wheels, with an index that cannot be reached."""
    workspace = _workspace(tmp_path, mistake, "installing")
    settings = {**SETTINGS, "codehunch.server.offerEnvironment": False}
    machine = {"codehunch.server.wheel": str(EDITORS / "wheels")}
    path = str(Path(sys.executable).resolve().parent)
    with code_server(tmp_path / "state", workspace, settings, machine, path=path) as address:
        rows = _host(address, workspace)
    _all_passed(rows, "an environment is created and used")


def test_what_a_person_sees(codehunch: Path, mistake: Mistake, bodies: dict[str, str], tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, mistake, "served")
    (workspace / mistake.name).write_text(mistake.text, encoding="utf-8")
    (workspace / "described.py").write_text(bodies["described"].rstrip(), encoding="utf-8")
    machine = {"codehunch.server.path": str(codehunch)}
    with code_server(tmp_path / "state", workspace, SETTINGS, machine, host_tests=False) as address:
        rows = drive_browser(
            HERE / "vscode_window.mjs",
            address,
            SHOTS,
            240,
            WORKSPACE=str(workspace),
            FILE=mistake.name,
            WRONG=mistake.wrong,
        )
    seen = {key: value for row in rows for key, value in row.items()}
    assert seen["underlined"] == mistake.wrong
    assert "CodeHunch" in seen["hover"] or "codehunch" in seen["hover"]
    assert any("scanning" in text for text in seen["scanning"]), "no progress was shown"
    assert any(mistake.name in row for row in seen["scan"])
    assert seen["ghost"].strip()
    assert seen["accepted"]
    assert seen["again"] == "", "what was accepted is offered again"
    # What the page asked other machines for; code-server itself asks the gallery of extensions it comes with.
    assert set(seen["elsewhere"]) <= {"open-vsx.org"}


def _workspace(folder: Path, mistake: Mistake, suite: str, **more: Any) -> Path:
    workspace = folder / "workspace"
    workspace.mkdir()
    example = {
        "suite": suite,
        "name": mistake.name,
        "text": mistake.text,
        "mended": mistake.mended,
        "wrong": mistake.wrong,
        "line": mistake.line,
        "column": mistake.column,
        **more,
    }
    (workspace / "example.json").write_text(json.dumps(example), encoding="utf-8")
    return workspace


def _host(address: str, workspace: Path) -> list[dict[str, Any]]:
    folder = HERE / "host"
    return drive_browser(
        HERE / "vscode_host.mjs",
        address,
        SHOTS,
        280,
        WORKSPACE=str(workspace),
        EXTENSION=str(folder),
        TESTS=str(folder / "index.js"),
    )


def _all_passed(rows: list[dict[str, Any]], last: str) -> None:
    outcomes = {row["test"]: row["outcome"] for row in rows if "test" in row}
    assert {name: text for name, text in outcomes.items() if text != "passed"} == {}
    assert last in outcomes, "the suite did not come to its end"

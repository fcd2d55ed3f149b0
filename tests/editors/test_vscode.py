"""VS Code: tests in its extension host, and what a person sees in the window."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from .codeserver import code_server, drive_browser, install_extension
from .conftest import EDITORS, HERE, ROOT, Shows, once
from .examples import CONTRADICTED, TESTED, TESTS, Mistake

pytestmark = pytest.mark.editors

# A busy machine may take longer for a body than people would wait; everything else is as it comes.
SETTINGS: dict[str, Any] = {"codehunch.generationSeconds": 60}
SHOTS = Path(os.environ.get("SHOTS", ROOT / "build" / "shots"))


def test_the_extension_is_small() -> None:
    assert (EDITORS / "codehunch.vsix").stat().st_size < 1_000_000


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(once(tmp_path_factory, "extensions", lambda folder: str(install_extension(folder))))


@pytest.fixture(scope="session")
def interpreter() -> Path:
    return EDITORS / "server" / "bin" / "python"


def test_in_the_extension_host(
    shows: Shows, mistake: Mistake, bodies: dict[str, str], extensions: Path, interpreter: Path, tmp_path: Path
) -> None:
    """With a server in the interpreter that a Python extension chose."""
    workspace = _workspace(tmp_path, mistake, "served", **bodies)
    python = _stand_in(tmp_path, "python", {"": interpreter})
    with code_server(tmp_path / "state", workspace, extensions, SETTINGS, {}) as address:
        rows = _host(address, workspace, python)
    _all_passed(rows, "restart")
    shows("VS Code", "live", "list")


def test_several_folders(mistake: Mistake, extensions: Path, interpreter: Path, tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, mistake, "folders")
    other = tmp_path / "other"
    other.mkdir()
    another = tmp_path / "another" / "python"
    for file, program in ((tmp_path / "second" / "python", interpreter), (another, interpreter)):
        file.parent.mkdir()
        file.write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
    chosen = {str(workspace): interpreter, str(other): tmp_path / "second" / "python"}
    example = json.loads((workspace / "example.json").read_text(encoding="utf-8"))
    example |= {"interpreters": {folder: str(program) for folder, program in chosen.items()}, "another": str(another)}
    (workspace / "example.json").write_text(json.dumps(example), encoding="utf-8")
    for folder in (workspace, other):
        (folder / mistake.name).write_text(mistake.text, encoding="utf-8")
    several = tmp_path / "several.code-workspace"
    several.write_text(json.dumps({"folders": [{"path": str(each)} for each in (workspace, other)]}), encoding="utf-8")
    python = _stand_in(tmp_path, "vscode-python-envs", chosen)
    with code_server(tmp_path / "state", several, extensions, SETTINGS, {}) as address:
        rows = _host(address, several, python)
    _all_passed(rows, "a change of the interpreter takes another server")


@pytest.mark.parametrize("trusted", [True, False])
def test_without_a_server(mistake: Mistake, extensions: Path, tmp_path: Path, trusted: bool) -> None:
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
    with code_server(tmp_path / "state", workspace, extensions, settings, {}, trust=trusted, path=path) as address:
        rows = _host(address, workspace)
    _all_passed(rows, "nothing of the workspace was run")


def test_the_extension_installs_a_server(mistake: Mistake, extensions: Path, tmp_path: Path) -> None:
    """From a folder of wheels, with an index that cannot be reached."""
    workspace = _workspace(tmp_path, mistake, "installing")
    settings = {**SETTINGS, "codehunch.server.offerEnvironment": False}
    machine = {"codehunch.server.wheel": str(EDITORS / "wheels")}
    path = str(Path(sys.executable).resolve().parent)
    with code_server(tmp_path / "state", workspace, extensions, settings, machine, path=path) as address:
        rows = _host(address, workspace)
    _all_passed(rows, "an environment is created and used")


def test_what_a_person_sees(
    codehunch: Path, shows: Shows, mistake: Mistake, bodies: dict[str, str], extensions: Path, tmp_path: Path
) -> None:
    """With a server that is found on PATH, and nothing set."""
    workspace = _workspace(tmp_path, mistake, "window")
    (workspace / "example.json").unlink()
    (workspace / mistake.name).write_text(mistake.text, encoding="utf-8")
    texts = {**bodies, "picked": bodies["described"], "contradicted": CONTRADICTED}
    texts |= {"tested": TESTED, "test_tested": TESTS}
    for name, text in texts.items():
        (workspace / f"{name}.py").write_text(text.rstrip(), encoding="utf-8")
    state = tmp_path / "state"
    path = str(codehunch.parent)
    with code_server(state, workspace, extensions, SETTINGS, {}, path=path, host_tests=False) as address:
        rows = drive_browser(
            HERE / "vscode_window.mjs",
            address,
            SHOTS,
            1500,
            WORKSPACE=str(workspace),
            FILE=mistake.name,
            REPAIR=mistake.repair,
            RUNS=str(state / "data" / "codehunch" / "retrain"),
        )
    seen = {key: value for row in rows for key, value in row.items()}
    assert seen["underlined"] == mistake.wrong
    assert "To silence it" in seen["hover"]
    assert "CH1" in seen["rule"], "the code leads to no page"
    assert seen["repaired"].rstrip().split("\n")[: mistake.line + 1] == mistake.mended.split("\n")[: mistake.line + 1]
    assert "defects" in seen["status"], "the status names the models"
    shows("VS Code", "finding", "hover", "fix", "gone")
    assert any("scanning" in text for text in seen["scanning"]), "no progress was shown"
    assert any(mistake.name in row for row in seen["scan"])
    contradicted = seen["contradicted"]
    assert contradicted["underlined"] == "value"
    assert "gives [1, 2, 3], its example shows [1, 3, 6]" in contradicted["hover"]
    assert "totals.append(total)" in contradicted["after"]
    tested = seen["tested"]
    assert tested["underlined"] == "min"
    assert "test_largest in test_tested.py fails: account.largest() gives -10, wanted 20" in tested["hover"]
    assert "return max(self.history)" in tested["after"]
    for kind in bodies:
        body = seen[kind]
        assert body["ghost"].strip(), kind
        assert body["accepted"], kind
        assert body["again"] == "", f"what was accepted is offered again: {kind}"
    assert "word[0]" in seen["exemplified"]["accepted"]
    shows("VS Code", "ghost")
    assert seen["candidates"]
    assert seen["picked"]
    assert "sensitivity" in seen["card"]
    assert "training: step 420" in seen["retraining"]
    assert "a better model is in use" in seen["done"]
    assert "Retraining on tickets" in seen["report"]
    # What the page asked other machines for; code-server itself asks the gallery of extensions it comes with.
    assert set(seen["elsewhere"]) <= {"open-vsx.org"}


def test_what_a_person_sees_without_a_server(mistake: Mistake, extensions: Path, tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, mistake, "window")
    (workspace / mistake.name).write_text(mistake.text, encoding="utf-8")
    with code_server(tmp_path / "state", workspace, extensions, SETTINGS, {}, host_tests=False) as address:
        script = HERE / "vscode_unserved.mjs"
        rows = drive_browser(script, address, SHOTS, 900, WORKSPACE=str(workspace), FILE=mistake.name)
    seen = {key: value for row in rows for key, value in row.items()}
    assert "Install CodeHunch" in seen["offer"]
    assert "not installed" in seen["status"]
    assert any("Install CodeHunch" in row for row in seen["choices"])


def _stand_in(folder: Path, name: str, interpreters: dict[str, Path]) -> Path:
    """An extension with the API of a Python extension, and an interpreter for each folder."""
    place = folder / name
    place.mkdir()
    manifest = {
        "name": name,
        "publisher": "ms-python",
        "version": "0.0.1",
        "engines": {"vscode": "^1.91.0"},
        "main": "./stand_in.js",
        "activationEvents": ["onStartupFinished"],
        "extensionKind": ["workspace"],
    }
    (place / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    chosen = {folder: str(interpreter) for folder, interpreter in interpreters.items()}
    (place / "interpreters.json").write_text(json.dumps(chosen), encoding="utf-8")
    shutil.copy(HERE / "stand_in.js", place)
    return place


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


def _host(address: str, workspace: Path, extension: Path = HERE / "host") -> list[dict[str, Any]]:
    return drive_browser(
        HERE / "vscode_host.mjs",
        address,
        SHOTS,
        1500,
        WORKSPACE=str(workspace),
        EXTENSION=str(extension),
        TESTS=str(HERE / "host" / "index.js"),
    )


def _all_passed(rows: list[dict[str, Any]], last: str) -> None:
    outcomes = {row["test"]: row["outcome"] for row in rows if "test" in row}
    assert {name: text for name, text in outcomes.items() if text != "passed"} == {}
    assert last in outcomes, "the suite did not come to its end"

"""A two-class model of whole C functions, beside the Python model: the command line and the editor serve both."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient
from test_indexing import Engine

from codehunch.bundles import store
from codehunch.cli import main

HERE = Path(__file__).parents[1]


@pytest.fixture(name="example", scope="module")
def _example() -> ModuleType:
    """The bundle for C that the detector's tests make: a bag of words in which only ``strcpy`` is bad."""
    spec = importlib.util.spec_from_file_location("function_level", HERE / "defects" / "test_function_level.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="project")
def _project(tmp_path: Path, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    store.install(example.make_bundle(tmp_path / "bundle", ("clean", "defective")).path, activate=False)
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / ".codehunch.toml").write_text('models = { c = "bag-of-words-c" }\n')
    (project / "src" / "copy.c").write_text(example.SOURCE)
    (project / "src" / "fine.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.chdir(project)
    return project


def test_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert (Path(row["filename"]).name, row["code"], row["function"]) == ("copy.c", "CH100", "copy")
    assert (row["location"], row["end_location"]) == ({"row": 1, "column": 5}, {"row": 1, "column": 9})
    # A baseline and a comment silence it like any other.
    assert main(["check", "--write-baseline"]) == 0
    assert main(["check", "--baseline", ".codehunch-baseline.json", "--format", "json"]) == 0
    (project / "src" / "copy.c").write_text("// codehunch: ignore-file[CH100]\n" + Path("src/copy.c").read_text())
    capsys.readouterr()
    assert main(["check", "--format", "json"]) == 0


def test_a_model_that_is_not_there_is_told_and_the_rest_is_served(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".codehunch.toml").write_text('models = { c = "nothing", python = "bag-of-words-c" }\n')
    assert main(["check", "src"]) == 0
    said = capsys.readouterr().err
    assert "nothing: no such bundle" in said
    assert "bag-of-words-c is no model that checks python" in said
    assert "1 file" in said


async def test_the_editor(project: Path, example: ModuleType) -> None:
    client = InProcessClient()
    client.server.engine = Engine(client.server)  # type: ignore[assignment]
    await client.initialize(FULL, rootUri=project.as_uri())
    uri = (project / "src" / "copy.c").as_uri()
    client.open(example.SOURCE, uri, language="c")
    (item,) = (await client.pull(uri))["items"]
    name = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 8}}
    assert (item["code"], item["range"], item["data"]["function"]) == ("CH100", name, "copy")
    params: dict[str, Any] = {"textDocument": {"uri": uri}, "range": name, "context": {"diagnostics": []}}
    offered = await client.request("textDocument/codeAction", params)
    titles = [each["title"] for each in offered]
    assert titles == [
        "Ignore CH100 on this line",
        "Ignore CH100 in this file",
        "CH100: not a defect, never show it again",
        "CH100: a true defect, remember it for retraining",
    ]
    (edit,) = offered[0]["edit"]["documentChanges"][0]["edits"]
    assert edit["newText"] == "  // codehunch: ignore[CH100]"
    position = {"line": 0, "character": 5}
    hover = await client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})
    assert "`// codehunch: ignore[CH100]`" in hover["contents"]["value"]
    # An edit elsewhere, and one that mends the function.
    end = {"line": 8, "character": 1}
    client.change([{"range": {"start": end, "end": end}, "text": "\n\nint x;\n"}], uri)
    assert len((await client.pull(uri))["items"]) == 1
    client.replace(example.SOURCE.replace("strcpy", "strncpy"), uri, version=3)
    assert (await client.pull(uri))["items"] == []
    client.open("def double(x):\n    return 2 * x\n", (project / "src" / "fine.py").as_uri())
    assert (await client.pull((project / "src" / "fine.py").as_uri()))["items"] == []
    found = await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    assert found == {"files": 2, "findings": 0, "cancelled": False}
    await client.close()

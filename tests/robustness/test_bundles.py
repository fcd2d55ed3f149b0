"""A model that goes away, or goes bad, in the middle of a session: what is in memory serves on, the rest is told."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient

from codehunch.bundles import store
from codehunch.lsp.server import SERVICE

TESTS = Path(__file__).parents[1]


def bag_of_words(folder: Path) -> Any:
    """The tests' model for C, in which only ``strcpy`` is bad, and a source with one finding."""
    spec = importlib.util.spec_from_file_location("function_level", TESTS / "defects" / "test_function_level.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_bundle(folder, ("clean", "defective")), module.SOURCE


@pytest.mark.parametrize("harm", ["removed", "corrupted"])
async def test_a_bundle_is_harmed_in_mid_session(tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path / "home"))
    bundle, text = bag_of_words(tmp_path / "made")
    installed = store.install(bundle.path, activate=False)
    client = InProcessClient(SERVICE, process=True)
    options = {"models": {"c": "bag-of-words-c"}, "workspaceIndex": False}
    await client.initialize(FULL, rootUri=tmp_path.as_uri(), initializationOptions=options)
    uri = (tmp_path / "copy.c").as_uri()
    client.open(text, uri, language="c")
    assert len((await client.pull(uri))["items"]) == 1
    if harm == "removed":
        shutil.rmtree(installed.path)
    else:
        (installed.path / "model.onnx").write_bytes(b"no graph")
    # In memory it serves on.
    client.replace(text.replace("int copy", "int copy_all"), uri)
    assert len((await client.pull(uri))["items"]) == 1
    assert client.shown() == []
    # A worker that starts anew cannot read it: that is told in one line, and other languages are served.
    await client.request("workspace/executeCommand", {"command": "codehunch.restartWorker"})
    assert (await client.pull(uri))["items"] == []
    (message,) = client.shown()
    assert "bag-of-words-c" in message
    assert "\n" not in message
    client.open("def area(width, height):\n    return width * height\n", (tmp_path / "a.py").as_uri())
    assert (await client.pull((tmp_path / "a.py").as_uri()))["items"] == []
    told = await client.request("workspace/executeCommand", {"command": "codehunch.debugInformation"})
    assert told["worker"]["loaded"]
    await client.close()

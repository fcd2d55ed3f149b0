"""Files nobody has open: workspace diagnostics, the scan command, and the status that tells of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient, Start

WORKSPACE = {**FULL, "experimental": {"codehunchStatus": True}}
TOKEN = "partial"


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    for name, text in {
        "a.py": "wrong = 1\n",
        "pkg/b.py": "x = 1\n",
        "pkg/c.py": "wrong = wrong\n",
        "notes.md": "wrong\n",
        ".venv/lib.py": "wrong = 1\n",
        "bad.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "bad.py").write_bytes(b"\xff\xfe\x00")
    return tmp_path


async def ask(client: InProcessClient, known: dict[str, str] | None = None, partial: bool = True) -> dict[str, Any]:
    """URI to report."""
    client.notifications.clear()
    params: dict[str, Any] = {
        "previousResultIds": [{"uri": uri, "value": value} for uri, value in (known or {}).items()]
    }
    if partial:
        params["partialResultToken"] = TOKEN
    answer = await client.request("workspace/diagnostic", params)
    items = list(answer["items"])
    if partial:
        assert items == []
        for message in client.notifications:
            if message["method"] == "$/progress" and message["params"]["token"] == TOKEN:
                items += message["params"]["value"]["items"]
    assert len({item["uri"] for item in items}) == len(items)
    return {item["uri"].rpartition("/")[2]: item for item in items}


@pytest.mark.parametrize("partial", [True, False])
async def test_every_file_and_again_when_something_has_changed(start: Start, project: Path, partial: bool) -> None:
    client = await start(WORKSPACE, initializationOptions={"workspaceDiagnostics": True})
    assert client.capabilities["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"] is True
    first = await ask(client, partial=partial)
    assert {name: len(item["items"]) for name, item in first.items()} == {"a.py": 1, "b.py": 0, "c.py": 2}
    known = {item["uri"]: item["resultId"] for item in first.values()}
    waiting = asyncio.ensure_future(ask(client, known, partial=partial))
    await asyncio.sleep(0.2)
    assert not waiting.done()  # Nothing has changed.
    (project / "a.py").write_text("x = 1\n")
    (project / "pkg" / "c.py").unlink()
    changes = [{"uri": (project / "a.py").as_uri(), "type": 2}, {"uri": (project / "pkg" / "c.py").as_uri(), "type": 3}]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    second = await waiting
    kinds = {name: item["kind"] for name, item in second.items()}
    assert kinds == {"a.py": "full", "b.py": "unchanged", "c.py": "full"}
    assert second["a.py"]["items"] == second["c.py"]["items"] == []


async def test_open_documents_count_as_they_are(start: Start, project: Path) -> None:
    client = await start(WORKSPACE, initializationOptions={"workspaceDiagnostics": True})
    client.open("wrong\nwrong\nwrong\n", (project / "a.py").as_uri(), version=7)
    found = await ask(client)
    assert (found["a.py"]["version"], len(found["a.py"]["items"])) == (7, 3)
    assert found["b.py"].get("version") is None


async def test_workspace_diagnostics_are_off_unless_asked_for(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    assert client.capabilities["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"] is False
    assert await ask(client) == {}


async def test_a_cancelled_request_stops_reading(start: Start, project: Path) -> None:
    client = await start(WORKSPACE, initializationOptions={"workspaceDiagnostics": True})
    (project / "a.py").write_text("wrong = 1  # slow 500\n")
    number, _ = client.begin("workspace/diagnostic", {"previousResultIds": []})
    await client.until(lambda: client.server.engine.busy)
    client.notify("$/cancelRequest", {"id": number})
    await client.until(lambda: client.answered[number])
    await client.until(lambda: not client.server.engine.busy, 2)


@pytest.mark.parametrize("capabilities", [WORKSPACE, {}], ids=["pull", "push"])
async def test_scan_shows_what_it_finds(start: Start, project: Path, capabilities: dict[str, Any]) -> None:
    client = await start(capabilities)
    told = await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    assert told == {"files": 3, "findings": 3, "cancelled": False}
    uri = (project / "pkg" / "c.py").as_uri()
    assert [len(each["diagnostics"]) for each in client.published(uri)] == [2]
    assert client.published((project / "pkg" / "b.py").as_uri()) == []
    # From now on the document speaks for itself, in one way only.
    client.open("wrong\n", uri)
    if capabilities:
        await client.until(lambda: client.published(uri)[-1]["diagnostics"] == [])
        assert len((await client.pull(uri))["items"]) == 1
    else:
        assert len((await client.published_version(1, uri))["diagnostics"]) == 1
    (project / "a.py").write_text("x = 1\n")
    told = await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    assert told["findings"] == 1
    assert client.published((project / "a.py").as_uri())[-1]["diagnostics"] == []


async def test_scan_can_be_stopped_at_its_progress_bar(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    (project / "a.py").write_text("wrong = 1  # slow 500\n")
    _, scan = client.begin("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    await client.until(lambda: client.server.engine.busy)
    bars = [each["params"]["token"] for each in client.server_requests if each["method"].endswith("Progress/create")]
    begun = await client.until(
        lambda: [each["params"] for each in client.notifications if each["method"] == "$/progress"]
    )
    assert begun[0]["value"] == {"kind": "begin", "title": "CodeHunch: scanning the workspace", "cancellable": True}
    client.notify("window/workDoneProgress/cancel", {"token": bars[0]})
    assert (await asyncio.wait_for(scan, 2))["cancelled"] is True
    client.notify("window/workDoneProgress/cancel", {"token": bars[0]})
    client.notify("window/workDoneProgress/cancel", {"token": 4711})
    await client.until(lambda: client.notifications[-1]["params"].get("value", {}).get("kind") == "end")


async def test_a_person_typing_goes_before_a_scan(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    for name in ("a.py", "pkg/b.py", "pkg/c.py"):
        (project / name).write_text("wrong = 1  # slow 100\n")
    _, scan = client.begin("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    await client.until(lambda: client.server.engine.busy)
    client.open("wrong\n")
    assert len((await client.pull())["items"]) == 1
    assert not scan.done()
    await scan


def states(client: InProcessClient) -> list[str]:
    return [each["params"]["state"] for each in client.notifications if each["method"] == "codehunch/status"]


async def test_a_scan_that_is_given_up_leaves_nobody_busy(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    (project / "a.py").write_text("wrong = 1  # slow 500\n")
    number, _ = client.begin("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    await client.until(lambda: states(client)[-1:] == ["busy"])
    client.notify("$/cancelRequest", {"id": number})
    await client.until(lambda: states(client)[-1] == "ready")


async def test_a_folder_that_leaves_takes_its_findings_along(start: Start, project: Path) -> None:
    client = await start(WORKSPACE, initializationOptions={"workspaceDiagnostics": True})
    known = {item["uri"]: item["resultId"] for item in (await ask(client)).values()}
    waiting = asyncio.ensure_future(ask(client, known))
    folder = {"uri": project.as_uri(), "name": "p"}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    assert {name: item["items"] for name, item in (await waiting).items()} == {"a.py": [], "b.py": [], "c.py": []}


async def test_scanned_findings_of_a_folder_that_leaves_are_cleared(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    folder = {"uri": project.as_uri(), "name": "p"}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    for name in ("a.py", "pkg/c.py"):
        uri = (project / name).as_uri()
        await client.until(lambda uri=uri: client.published(uri)[-1]["diagnostics"] == [])


async def test_an_open_document_counts_however_its_uri_is_escaped(start: Start, project: Path) -> None:
    (project / "a@b.py").write_text("wrong\n")
    client = await start(WORKSPACE)
    uri = f"{project.as_uri()}/a@b.py"
    client.open("wrong wrong wrong\n", uri)
    told = await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    assert (told["files"], told["findings"]) == (4, 6)
    assert not client.published((project / "a@b.py").as_uri())


async def test_status(start: Start, project: Path) -> None:
    client = await start(WORKSPACE)
    client.open("wrong\n")
    await client.pull()
    await client.request("workspace/executeCommand", {"command": "codehunch.scanWorkspace"})
    client.replace("wrong # fail\n")
    await client.pull()
    client.replace("wrong\n", version=3)
    await client.pull()
    assert states(client) == ["loading", "ready", "busy", "ready", "degraded", "ready"]
    quiet = await start(FULL)
    quiet.open("wrong\n")
    await quiet.pull()
    assert not [each for each in quiet.notifications if each["method"] == "codehunch/status"]

"""The functions of the workspace: indexed behind the person's back, kept up to date, and used for bodies."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient, _ThreadEngine

from codehunch.generation.index import FunctionIndex
from codehunch.generation.samples import Asked
from codehunch.inference.inprocess import InProcess
from codehunch.lsp.indexing import index_file
from codehunch.lsp.requests import ServiceOptions
from codehunch.lsp.service import create

SIBLING = '''\
def read_points(path):
    """Read the points of a file, one per line."""
    with open(path) as stream:
        return [line.split() for line in stream]
'''
STUB = 'def read_lines(path):\n    """Read the lines of a file, one per line."""\n    \n'
ASKED = Asked("read_lines", ("path",), "Read the lines of a file", "")


class Engine(_ThreadEngine):
    """The shipped service in a thread, with the options the server would start it with."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        loop, self._server = asyncio.get_running_loop(), server
        self._emit = lambda *event: loop.call_soon_threadsafe(server._worker_event, *event)
        self._made = False

    async def call(self, method: str, payload: object, **options: Any) -> object:
        if not self._made:
            self._made = True
            assert isinstance(self.options, ServiceOptions)
            self._service = create(self.options, self._emit)
        return await InProcess.call(self, method, payload, **options)


async def session(root: Path, **options: Any) -> InProcessClient:
    client = InProcessClient()
    client.server.engine = Engine(client.server)  # type: ignore[assignment]
    await client.initialize(FULL, rootUri=root.as_uri(), initializationOptions=options)
    return client


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    files = {
        "points.py": SIBLING,
        "ignored/x.py": SIBLING.replace("read_points", "read_ignored"),
        ".venv/x.py": SIBLING.replace("read_points", "read_vendored"),
        ".gitignore": "ignored/\n",
        "lines.py": STUB,
        "notes.md": SIBLING,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    return root


def names(root: Path) -> set[str]:
    index = FunctionIndex(index_file(root))
    try:
        return {each.qualified_name for each in index.similar(ASKED, "")}
    finally:
        index.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_body_follows_the_most_similar_function_and_says_so(root: Path) -> None:
    client = await session(root)
    uri = (root / "lines.py").as_uri()
    client.open(STUB, uri)
    await until(lambda: names(root) == {"read_points"})
    params = {"textDocument": {"uri": uri}, "position": {"line": 2, "character": 4}, "context": {"triggerKind": 2}}
    answer = await client.request("textDocument/inlineCompletion", params)
    (item,) = answer["items"]
    assert item["insertText"] == "with open(path) as stream:\n        return [line.split() for line in stream]"
    suggestion = client.server.suggestions.memory.known(client.server.documents.snapshot(uri), len(STUB) - 1)
    assert suggestion is not None
    assert suggestion[0].origin == f"{root / 'points.py'}: read_points"
    # A file that is saved, and one that is new; what is ignored stays so.
    (root / "points.py").write_text(SIBLING.replace("read_points", "read_rows"))
    client.notify("textDocument/didSave", {"textDocument": {"uri": (root / "points.py").as_uri()}})
    await until(lambda: names(root) == {"read_rows"})
    (root / "new.py").write_text(SIBLING.replace("read_points", "read_new"))
    for name in ("new.py", "ignored/x.py"):
        os.utime(root / name)
        client.notify("textDocument/didSave", {"textDocument": {"uri": (root / name).as_uri()}})
    await until(lambda: names(root) == {"read_rows", "read_new"})
    (root / "new.py").unlink()
    changes = [{"uri": (root / "new.py").as_uri(), "type": 3}]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    await until(lambda: names(root) == {"read_rows"})
    await client.close()


async def test_the_next_session_reads_only_what_has_changed(root: Path) -> None:
    assert await _read_by_a_session(root) == 2
    assert await _read_by_a_session(root) == 0


async def _read_by_a_session(root: Path) -> int:
    """How many files one session reads."""
    client = await session(root)
    engine = client.server.engine
    read: list[int] = []
    real = engine.call

    async def call(method: str, payload: Any, **options: Any) -> object:
        if method == "index":
            read.append(len(payload.read))
        return await real(method, payload, **options)

    engine.call = call  # type: ignore[method-assign]
    client.open(STUB, (root / "lines.py").as_uri())
    await until(lambda: client.server.index._run is not None and client.server.index._run.done())
    await client.close()
    return sum(read)


@pytest.mark.parametrize("options", [{"workspaceIndex": False}, {"generation": False}])
async def test_nothing_is_indexed_against_ones_will(root: Path, options: dict[str, bool]) -> None:
    client = await session(root, **options)
    client.open(STUB, (root / "lines.py").as_uri())
    await client.pull((root / "lines.py").as_uri())
    assert client.server.index._run is None
    assert not index_file(root).exists()
    await client.close()


async def test_progress_that_can_be_stopped(root: Path) -> None:
    for number in range(200):
        (root / f"m{number}.py").write_text(SIBLING.replace("points", f"points_{number}"))
    client = await session(root)

    def stop(params: Any) -> None:
        client.notify("window/workDoneProgress/cancel", {"token": params["token"]})

    client.replies["window/workDoneProgress/create"] = stop
    client.open(STUB, (root / "lines.py").as_uri())
    await until(lambda: client.server.index._run is not None and client.server.index._run.done())
    values = [m["params"]["value"] for m in client.notifications if m["method"] == "$/progress"]
    begun = [value for value in values if value["kind"] == "begin" and "indexing" in value["title"]]
    assert len(begun) == 1
    assert begun[0]["cancellable"] is True
    index = FunctionIndex(index_file(root))
    assert len(index.stamps()) < 200
    index.close()
    await client.close()


async def test_a_place_that_cannot_be_written_costs_only_the_index(root: Path) -> None:
    index_file(root).parent.parent.mkdir(parents=True)
    index_file(root).parent.touch()
    client = await session(root)
    uri = (root / "lines.py").as_uri()
    client.open(STUB, uri)
    await until(lambda: client.server.index._run is not None and client.server.index._run.done())
    params = {"textDocument": {"uri": uri}, "position": {"line": 2, "character": 4}, "context": {"triggerKind": 2}}
    assert "items" in await client.request("textDocument/inlineCompletion", params)
    assert client.shown() == []
    await client.close()

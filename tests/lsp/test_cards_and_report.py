"""The commands that open something for a person to read: the real server over stdio, with the models it comes with."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import pytest_asyncio
from lsp_client import FULL, ProcessClient, ResponseError, environment
from test_shipped_models import MISTAKES as EXAMPLES

from codehunch.bundles.store import active_bundle

OPENS = {**FULL, "window": {"showDocument": {"support": True}}}
MISTAKES = "\n\n".join(EXAMPLES)

Serve = Callable[[dict[str, Any]], Awaitable[ProcessClient]]


@pytest_asyncio.fixture(name="serve")
async def _serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """``await serve(capabilities)``: the program itself, in the folder ``project``."""
    clients: list[ProcessClient] = []
    (tmp_path / "project").mkdir()

    async def serve(capabilities: dict[str, Any]) -> ProcessClient:
        client = await ProcessClient.spawn(sys.executable, "-m", "codehunch", "serve", "--stdio", env=environment())
        clients.append(client)
        client.replies["window/showDocument"] = lambda params: {"success": True}
        options = {"sensitivity": "high", "workspaceIndex": False}
        root = (tmp_path / "project").as_uri()
        await client.initialize(capabilities, rootUri=root, initializationOptions=options)
        return client

    yield serve
    for client in clients:
        assert await client.stop() == 0


def opened(client: ProcessClient) -> list[str]:
    shown = [each["params"] for each in client.server_requests if each["method"] == "window/showDocument"]
    assert all(each["external"] is False and each["takeFocus"] is True for each in shown)
    return [unquote(urlsplit(each["uri"]).path) for each in shown]


async def run(client: ProcessClient, command: str) -> Any:
    return await client.request("workspace/executeCommand", {"command": f"codehunch.{command}"}, 120)


async def test_the_cards_of_the_models_in_use_are_opened(serve: Serve) -> None:
    client = await serve(OPENS)
    cards = await run(client, "showModelCard")
    assert opened(client) == cards
    bundles = [active_bundle(task) for task in ("defects", "generation")]
    assert [Path(card).parent for card in cards] == [bundle.path for bundle in bundles]
    assert Path(cards[0]).name == "MODEL_CARD.md"
    assert all(Path(card).stat().st_size for card in cards)


async def test_an_editor_that_opens_nothing_is_told_the_paths(serve: Serve) -> None:
    client = await serve(FULL)
    assert [Path(card).suffix in (".md", ".json") for card in await run(client, "showModelCard")] == [True, True]
    assert Path(await run(client, "openReport")).is_file()
    assert opened(client) == []


async def test_the_report_says_what_the_editor_shows(serve: Serve, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "mistakes é.py").write_text(MISTAKES, encoding="utf-8")
    (project / "clean.py").write_text("x = 1\n", encoding="utf-8")
    client = await serve(OPENS)
    path = await run(client, "openReport")
    assert opened(client) == [path]
    page = Path(path).read_text(encoding="utf-8")
    uri = (project / "mistakes é.py").as_uri()
    client.open(MISTAKES, uri)
    items = (await client.pull(uri))["items"]
    assert items
    assert f"{len(items)} findings in 1 of 2 files" in page
    rows = [line for line in page.splitlines() if line.startswith("- line ")]
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        message = " ".join(item["message"].split())
        assert row.startswith(f"- line {item['range']['start']['line'] + 1}: {item['code']} {message}")
    assert f"[mistakes é.py]({uri})" in page
    # What is open counts as it stands there, and the next report takes the place of this one.
    client.change([{"text": "x = 1\n"}], uri)
    assert await run(client, "openReport") == path
    assert "0 findings in 0 of 2 files" in Path(path).read_text(encoding="utf-8")


async def test_a_report_that_cannot_be_written_is_an_error(serve: Serve) -> None:
    client = await serve(OPENS)
    Path(os.environ["CODEHUNCH_HOME"], "cache").write_text("no folder")
    with pytest.raises(ResponseError, match="the report could not be written"):
        await run(client, "openReport")
    assert opened(client) == []
    assert await run(client, "debugInformation")

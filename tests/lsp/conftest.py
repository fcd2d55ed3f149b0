"""Helpers of this folder are importable by the tests and by the worker processes they start."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from lsp_client import FULL, InProcessClient, Start  # noqa: E402


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models, feedback and caches of the person who runs the tests are left alone."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CODEHUNCH_HOME", str(home))
    return home


@pytest_asyncio.fixture(name="start")
async def _start(tmp_path: Path) -> AsyncIterator[Start]:
    """``await start(capabilities)``: an initialized session with the rule service, closed after the test."""
    clients: list[InProcessClient] = []

    async def start(capabilities: dict[str, Any] = FULL, process: bool = False, **params: Any) -> InProcessClient:
        client = InProcessClient(process=process)
        clients.append(client)
        # The index has tests of its own, and several of these count calls.
        options = {"workspaceIndex": False, **params.pop("initializationOptions", {})}
        await client.initialize(
            capabilities, **{"rootUri": tmp_path.as_uri(), "initializationOptions": options, **params}
        )
        return client

    yield start
    for client in clients:
        await client.close()


@pytest_asyncio.fixture(name="client")
async def _client(start: Start) -> InProcessClient:
    """A session of a client that can do everything."""
    return await start()


@pytest_asyncio.fixture(name="pusher")
async def _pusher(start: Start) -> InProcessClient:
    """A session of a client that can do next to nothing: diagnostics are pushed to it."""
    return await start({})

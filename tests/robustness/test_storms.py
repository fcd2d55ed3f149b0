"""A whole session in a storm: every id answered once, nothing stale on the screen, nothing piled up."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import text_reference
from lsp_client import FULL, Client, InProcessClient, ProcessClient, ResponseError

URIS = ["file:///p/a.py", "file:///p/b.py", "untitled:c", "file:///p/%C3%A9%F0%9F%99%82.py"]
_PIECES = [
    "wrong",
    "right",
    " = 1\n",
    "\r\n",
    "\r",
    "🙂",
    "é",
    "\x0c",
    "def f(x):\n    ",
    '"""Doc."""\n    ',
    "# slow 2\n",
    "",
]
_METHODS = ["hover", "codeAction", "inlineCompletion", "completion", "diagnostic"]


class Storm:
    """Does random things to a server and keeps its own account of what every document holds."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.texts: dict[str, str] = {}
        self.versions: defaultdict[str, int] = defaultdict(int)
        self.history: dict[tuple[str, int], int] = {}
        """How many findings each version has."""
        self.sent: list[tuple[int, asyncio.Future[Any]]] = []

    def step(self) -> None:
        uri = self.random.choice(URIS)
        action = self.random.random()
        if uri not in self.texts:
            if action < 0.5:
                self._open(uri)
            elif action < 0.6:
                self.client.change([{"text": "never opened"}], uri, 1)
            else:
                self._ask(uri)
        elif action < 0.55:
            self._change(uri)
        elif action < 0.85:
            self._ask(uri)
        elif action < 0.95 and self.sent:
            self.client.notify("$/cancelRequest", {"id": self.random.choice(self.sent[-5:])[0]})
        elif action > 0.98:
            del self.texts[uri]
            self.client.close_document(uri)

    def _open(self, uri: str) -> None:
        self._now(uri, "".join(self.random.choices(_PIECES, k=6)))
        self.client.open(self.texts[uri], uri, self.versions[uri])

    def _change(self, uri: str) -> None:
        changes: list[dict[str, Any]] = []
        for _ in range(self.random.randint(1, 3)):
            insert = "".join(self.random.choices(_PIECES, k=self.random.randint(0, 2)))
            changes.append({"range": self._range(), "text": insert})
        if self.random.random() < 0.1 or len(self.texts[uri]) > 2000:
            changes = [{"text": "".join(self.random.choices(_PIECES, k=4))}]
        self._now(uri, text_reference.apply(self.texts[uri], changes, "utf-16"))
        self.client.change(changes, uri, self.versions[uri])

    def _now(self, uri: str, text: str) -> None:
        self.texts[uri] = text
        self.versions[uri] += 1
        self.history[uri, self.versions[uri]] = _findings(text)

    def _ask(self, uri: str) -> None:
        method = self.random.choice(_METHODS)
        params: dict[str, Any] = {"textDocument": {"uri": uri}, "context": {"diagnostics": [], "triggerKind": 1}}
        params["position"] = self._position()
        params["range"] = self._range()
        self.sent.append(self.client.begin(f"textDocument/{method}", params))

    def _position(self) -> dict[str, int]:
        return {
            "line": self.random.choice([0, 1, 2, 5, 2**31 - 1]),
            "character": self.random.choice([0, 1, 3, 9, 10**9]),
        }

    def _range(self) -> dict[str, Any]:
        return {"start": self._position(), "end": self._position()}

    async def judge(self) -> None:
        """Let the dust settle and look at everything that came back."""
        done, pending = await asyncio.wait([future for _, future in self.sent], timeout=60)
        assert not pending
        for future in done:
            error = future.exception()
            if error is not None:
                assert isinstance(error, ResponseError)
                assert error.code in (-32800, -32801, -32802), error
        for number, _ in self.sent:
            assert self.client.answered[number] == 1, number
        if not self.client.capabilities["capabilities"].get("diagnosticProvider"):
            for uri in self.texts:
                await self.client.published_version(self.versions[uri], uri)
        for message in self.client.notifications:
            if message["method"] == "textDocument/publishDiagnostics" and "version" in message["params"]:
                params = message["params"]
                assert len(params["diagnostics"]) == self.history[params["uri"], params["version"]], params
        for uri, text in self.texts.items():
            if self.client.capabilities["capabilities"].get("diagnosticProvider"):
                assert len((await self.client.pull(uri))["items"]) == _findings(text)


def _findings(text: str) -> int:
    import rule_service

    return len(rule_service._WRONG.findall(text))


@pytest.mark.parametrize("capabilities", [FULL, {}], ids=["pull", "push"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_short_storm(seed: int, capabilities: dict[str, Any]) -> None:
    client = InProcessClient()
    await client.initialize(capabilities)
    storm = Storm(client, seed)
    for index in range(400):
        storm.step()
        if index % 7 == 0:
            await asyncio.sleep(storm.random.random() * 0.02)
    await storm.judge()
    for uri, text in storm.texts.items():
        snapshot = client.server.documents.snapshot(uri)
        assert snapshot is not None
        assert (snapshot.source.text, snapshot.version) == (text, storm.versions[uri])
    await client.close()


@pytest.mark.slow
@pytest.mark.parametrize("capabilities", [FULL, {}], ids=["pull", "push"])
async def test_ten_thousand_edits_and_cancels(capabilities: dict[str, Any]) -> None:
    client = await ProcessClient.spawn()
    await client.initialize(capabilities)
    storm = Storm(client, 7)
    sizes = []
    for index in range(10_000):
        storm.step()
        if index % 3 == 0:
            await asyncio.sleep(storm.random.random() * 0.01)
        if index % 1000 == 999:
            await storm.judge()
            storm.sent.clear()
            client.notifications.clear()
            sizes.append(_resident(client.process.pid))
    # The first rounds fill caches and the allocator's pools.
    assert sizes[-1] < sizes[2] * 1.1 + 4_000_000, sizes
    assert await client.stop() == 0


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
async def test_the_worker_is_killed_again_and_again(kills: int) -> None:
    """In the middle of a session: whatever was asked is answered, and findings come back."""
    client = InProcessClient(process=True)
    await client.initialize({})
    engine = client.server.engine
    client.open("wrong = 0  # slow 30\n", version=0)
    for version in range(1, kills + 1):
        await client.until(lambda: engine.busy and engine.pid)
        _, asked = client.begin(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": "file:///project/module.py"},
                "position": {"line": 0, "character": 0},
                "context": {"triggerKind": 1},
            },
        )
        assert engine.pid is not None
        import os
        import signal

        os.kill(engine.pid, signal.SIGKILL)
        await asyncio.wait_for(asked, 20)
        await client.published_version(version - 1)
        client.replace(f"wrong = {version}  # slow 30\n", version=version)
    assert len((await client.published_version(kills))["diagnostics"]) == 1
    assert client.shown() == []
    await client.close()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096

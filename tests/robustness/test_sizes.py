"""Texts as they come from generators, minifiers and accidents."""

from __future__ import annotations

import asyncio
import sys

import pytest
from lsp_client import FULL, URI, InProcessClient, ProcessClient

SIZES = [
    ("a line of a megabyte", "x = '" + "🙂" * 500_000 + "'; wrong = 1\n", 1),
    ("twenty thousand lines", "def f(x):\n    return wrong\n\n\n" * 5000, 5000),
    ("deep nesting", "(" * 5000 + "wrong" + ")" * 5000, 1),
    ("deep indentation", "".join(f"{' ' * depth}if x:\n" for depth in range(500)) + " " * 500 + "wrong\n", 1),
    ("no line end but carriage returns", "wrong = 1\r" * 3000, 3000),
    ("null characters", "\0" * 1000 + "wrong", 1),
    ("nothing", "", 0),
]


@pytest.mark.parametrize(("name", "text", "findings"), SIZES)
async def test_sizes(name: str, text: str, findings: int) -> None:
    client = InProcessClient()
    await client.initialize(FULL)
    client.open(text)
    assert len((await client.pull())["items"]) == findings
    last = text.count("\n")
    # Typing at the end of it.
    for index in range(20):
        place = {"line": last, "character": 10**9}
        client.change([{"range": {"start": place, "end": place}, "text": "x"}], version=2 + index)
    await client.at("textDocument/hover", last, 5)
    snapshot = client.server.documents.snapshot(URI)
    assert snapshot is not None
    assert len(snapshot.source.text) == len(text) + 20
    await client.close()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text, _ in SIZES])
async def test_sizes_with_the_shipped_models(name: str, text: str) -> None:
    """Through parser, detector and generator: everything an editor asks for after a keystroke is answered."""
    client = await ProcessClient.spawn(sys.executable, "-m", "codehunch", "serve", "--stdio")
    await client.initialize(FULL, initializationOptions={"sensitivity": "high", "workspaceIndex": False})
    client.open(text)
    await client.request("textDocument/diagnostic", {"textDocument": {"uri": URI}}, 300)
    position = {"line": text.count("\n"), "character": 5}
    place = {"start": position, "end": position}
    for version in range(2, 6):
        client.change([{"range": place, "text": "x"}], version=version)
        document = {"textDocument": {"uri": URI}}
        asked = {"position": position, "range": place, "context": {"diagnostics": [], "triggerKind": 1}}
        for method in ("diagnostic", "hover", "codeAction", "inlineCompletion", "inlayHint"):
            await client.request(f"textDocument/{method}", {**document, **asked}, 120)
    assert await client.stop() == 0
    assert not client.shown()


async def test_fifty_files_at_once() -> None:
    client = InProcessClient()
    await client.initialize(FULL)
    uris = [f"file:///project/module_{number}.py" for number in range(50)]
    for number, uri in enumerate(uris):
        client.open("wrong = 1\n" * number, uri)
    reports = await asyncio.gather(*(client.pull(uri) for uri in uris))
    assert [len(report["items"]) for report in reports] == list(range(50))
    await client.close()

"""Capabilities of real editors: those recorded here, else those of pytest-lsp. And the end of such a client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from lsprotocol import types
from lsprotocol.converters import get_converter
from pytest_lsp import LanguageClient, client_capabilities

_RECORDED = Path(__file__).parent / "clients"


def capabilities_of(editor: str) -> types.ClientCapabilities:
    path = _RECORDED / f"{editor}.json"
    if not path.is_file():
        return client_capabilities(editor)
    return get_converter().structure(json.loads(path.read_text(encoding="utf-8")), types.ClientCapabilities)


async def hang_up(client: LanguageClient) -> None:
    """End a session over TCP to the last: pygls leaves the socket to whatever test the collector runs in."""
    await client.shutdown_session()
    writer = client.protocol.writer
    assert isinstance(writer, asyncio.StreamWriter)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

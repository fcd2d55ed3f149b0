"""Messages as no client should send them: the server answers what can be answered and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsp_client import FULL, URI, InProcessClient, ProcessClient

from codehunch.lsp.methods import METHODS

_KEYS = st.sampled_from(
    [
        *("textDocument", "uri", "version", "position", "line", "character", "range", "start", "end", "text"),
        *("context", "contentChanges", "languageId", "id", "command", "arguments", "data", "event", "settings"),
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
methods = st.sampled_from(sorted(set(METHODS) - {"exit", "shutdown", "initialize"})) | st.text(max_size=8)
ids = st.integers(10**6, 10**7) | st.text(max_size=4)
"""Clear of the ids that the client gives its own requests."""
_no_ids = st.none() | st.booleans() | st.floats(allow_nan=False) | st.lists(st.integers(), max_size=1)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", 2]), "method": methods | json_values},
    optional={"params": json_values, "id": ids | _no_ids, "result": json_values},
)


@pytest.fixture(name="session", scope="module")
def _session() -> Iterator[tuple[asyncio.AbstractEventLoop, InProcessClient]]:
    """One session for all examples: what one of them broke, the next one would see."""
    loop = asyncio.new_event_loop()

    async def start() -> InProcessClient:
        client = InProcessClient()
        await client.initialize(FULL)
        return client

    client = loop.run_until_complete(start())
    yield loop, client
    loop.run_until_complete(client.close())
    loop.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=st.lists(messages | json_values, max_size=15))
def test_any_json(session: tuple[asyncio.AbstractEventLoop, InProcessClient], batch: list[Any]) -> None:
    loop, client = session
    expected = Counter(
        message["id"]
        for message in batch
        if isinstance(message, dict) and "method" in message and _is_id(message.get("id"))
    )
    before = client.answered.copy()

    async def run() -> None:
        for message in batch:
            client.send_body(json.dumps(message).encode())
        await _still_serves(client)
        await client.until(lambda: all(client.answered[each] - before[each] >= n for each, n in expected.items()))

    loop.run_until_complete(run())
    assert {each: client.answered[each] - before[each] for each in expected} == expected


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_as_a_body(session: tuple[asyncio.AbstractEventLoop, InProcessClient], body: bytes) -> None:
    loop, client = session

    async def run() -> None:
        client.send_body(body)
        await _still_serves(client)

    loop.run_until_complete(run())


async def _still_serves(client: InProcessClient) -> None:
    client.open("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1
    client.close_document()


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


async def test_bad_headers_in_the_stream() -> None:
    client = await ProcessClient.spawn()
    client.send_raw(b"Content-Length: nonsense\r\n\r\n")
    client.send_raw(b"\r\n\r\nX-Header: 1\r\n\r\n")
    client.send_raw(b"content-length: 2\r\nContent-Type: text\r\n\r\n{}")
    await client.initialize(FULL)
    assert [error["code"] for error in client.errors_without_id] == [-32700, -32700, -32700, -32600]
    assert await client.stop() == 0


async def test_no_message_stream_at_all_is_the_end() -> None:
    client = await ProcessClient.spawn()
    client.send_raw(b"GET / HTTP/1.1 " * 10_000)
    assert await client.ended() == 1


async def test_a_client_that_stops_reading_does_not_stop_the_server() -> None:
    """Its pipe is full, the server still reads, and still ends when it is told to."""
    client = await ProcessClient.spawn()
    await client.initialize(FULL)
    client._reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await client._reader
    client.open("wrong = 1\n" * 300)
    for number in range(5):
        client.send(
            {"id": f"pull {number}", "method": "textDocument/diagnostic", "params": {"textDocument": {"uri": URI}}}
        )
    await asyncio.sleep(1)
    client.process.terminate()
    # Not wait(), which waits for the end of the pipe that nobody reads.
    await client.until(lambda: client.process.returncode is not None, 2)
    assert client.process.returncode == 143
    assert client.process.stdout is not None
    await client.process.stdout.read()

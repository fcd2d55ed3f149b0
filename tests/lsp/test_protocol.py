"""Exactly one response to every request, whatever the request is like."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from lsp_client import FULL, URI, InProcessClient, ResponseError, Start

PARSE, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, NOT_INITIALIZED = -32700, -32600, -32601, -32602, -32002
CANCELLED = -32800
POSITION = {"line": 0, "character": 0}


async def settled(client: InProcessClient) -> None:
    """Everything sent so far has been handled."""
    await client.request("workspace/executeCommand", {"command": "codehunch.debugInformation"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", PARSE),
        (b"", PARSE),
        (b"\xff\xfe", PARSE),
        (b"[" * 100_000, PARSE),
        (b"<misframed>", PARSE),
        (b"[]", INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","id":1,"method":"shutdown"}]', INVALID_REQUEST),
        (b"7", INVALID_REQUEST),
        (b"null", INVALID_REQUEST),
        (b'"text"', INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":7}', INVALID_REQUEST),
    ],
)
async def test_what_is_no_request_is_refused_without_an_id(client: InProcessClient, body: bytes, code: int) -> None:
    client.send_body(body)
    await settled(client)
    assert [error["code"] for error in client.errors_without_id] == [code]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"method": "textDocument/nothing"}, NO_METHOD),
        ({"method": "$/nothing"}, NO_METHOD),
        ({"method": ""}, NO_METHOD),
        ({"method": "textDocument/hover"}, INVALID_PARAMS),
        ({"method": "textDocument/hover", "params": None}, INVALID_PARAMS),
        ({"method": "textDocument/hover", "params": []}, INVALID_PARAMS),
        ({"method": "textDocument/hover", "params": "text"}, INVALID_PARAMS),
        (
            {
                "method": "textDocument/hover",
                "params": {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}},
            },
            INVALID_PARAMS,
        ),
        ({"method": "textDocument/diagnostic", "params": {"uri": URI}}, INVALID_PARAMS),
        ({"method": "workspace/executeCommand", "params": {"command": "rm"}}, INVALID_PARAMS),
        (
            {"method": "workspace/executeCommand", "params": {"command": "codehunch.generateBody", "arguments": [7]}},
            INVALID_PARAMS,
        ),
        ({"method": "codeAction/resolve", "params": {"title": "x", "data": {"generate": {"uri": 1}}}}, INVALID_PARAMS),
        ({"method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}}, INVALID_REQUEST),
        ({"jsonrpc": "1.0", "method": "shutdown"}, INVALID_REQUEST),
        ({"jsonrpc": None, "method": "shutdown"}, INVALID_REQUEST),
    ],
)
async def test_a_request_that_cannot_be_served_gets_one_error(
    client: InProcessClient, message: dict[str, Any], code: int
) -> None:
    for request_id in (4711, "text", "", 0, -1):
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        client._waiting[request_id] = future
        client.send({"id": request_id, **message})
        with pytest.raises(ResponseError) as caught:
            await asyncio.wait_for(future, 10)
        assert caught.value.code == code
        assert "Traceback" not in caught.value.message
        await settled(client)
        assert client.answered[request_id] == 1


@pytest.mark.parametrize(
    "method",
    [
        "textDocument/hover",
        "textDocument/diagnostic",
        "textDocument/codeAction",
        "textDocument/completion",
        "textDocument/inlineCompletion",
    ],
)
@pytest.mark.parametrize("uri", ["file:///not/open.py", "untitled:9", "", "::::", "file://[", "http://x/y.py"])
async def test_a_document_that_is_not_open_is_no_error(client: InProcessClient, method: str, uri: str) -> None:
    params = {
        "textDocument": {"uri": uri},
        "position": POSITION,
        "range": {"start": POSITION, "end": POSITION},
        "context": {"diagnostics": [], "triggerKind": 1},
    }
    assert await client.request(method, params) in (None, {"kind": "full", "items": []})


@pytest.mark.parametrize("uri", ["", "::::", "file://[", "file:///a%00b.py", "http://x/y.py", "file:///" + "x" * 5000])
async def test_strange_uris_can_be_opened(client: InProcessClient, uri: str) -> None:
    client.open("wrong = 1\n", uri)
    assert len((await client.pull(uri))["items"]) == 1


async def test_before_initialize() -> None:
    client = InProcessClient()
    client.notify("textDocument/didOpen", {"textDocument": {}})
    with pytest.raises(ResponseError) as caught:
        await client.at("textDocument/hover", 0, 0)
    assert caught.value.code == NOT_INITIALIZED
    with pytest.raises(ResponseError) as caught:
        await client.request("initialize", {"processId": "seven"})
    assert caught.value.code == INVALID_PARAMS
    assert (await client.initialize(FULL))["serverInfo"]["name"] == "codehunch"
    await client.close()


async def test_after_shutdown(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 300\n")
    _, open_request = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    assert await client.request("shutdown") is None
    with pytest.raises(ResponseError) as caught:
        await open_request
    assert caught.value.code == CANCELLED
    with pytest.raises(ResponseError) as caught:
        await client.at("textDocument/hover", 0, 0)
    assert caught.value.code == INVALID_REQUEST
    assert client.server.exit_code is None
    client.notify("exit")
    await asyncio.wait_for(client._running, 5)
    assert client.server.exit_code == 0


async def test_a_cancelled_request_is_answered_at_once_and_once(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 300\n")
    number, future = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    await asyncio.sleep(0.05)
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ResponseError) as caught:
        await asyncio.wait_for(future, 1)
    assert caught.value.code == CANCELLED
    client.notify("$/cancelRequest", {"id": number})
    await settled(client)
    assert client.answered[number] == 1


@pytest.mark.parametrize("params", [None, {}, [], {"id": None}, {"id": 99999}, {"id": "x"}, {"id": [1]}])
async def test_cancelling_what_is_not_there(client: InProcessClient, params: Any) -> None:
    client.notify("$/cancelRequest", params)
    await settled(client)
    assert client.errors_without_id == []


async def test_an_id_in_use_is_refused_and_the_first_one_is_served(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 20\n")
    number, future = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    client.send({"id": number, "method": "shutdown"})
    with pytest.raises(ResponseError) as caught:
        await future
    assert caught.value.code == INVALID_REQUEST
    await client.until(lambda: client.answered[number] == 2)


async def test_cancelling_what_waits_for_the_client(client: InProcessClient) -> None:
    """The request behind a workspace/applyEdit is given up; the late answer meets nobody."""
    held: list[Any] = []
    client.received = _holding(client, held)  # type: ignore[method-assign]
    client.open('def f():\n    """Return one."""\n')
    where = {"uri": URI, "line": 1, "character": 10}
    number, future = client.begin(
        "workspace/executeCommand", {"command": "codehunch.generateBody", "arguments": [where]}
    )
    await client.until(lambda: held)
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ResponseError) as caught:
        await future
    assert caught.value.code == CANCELLED
    client.send({"id": held[0]["id"], "result": {"applied": True}})
    client.send({"id": held[0]["id"], "error": {"code": 1, "message": "late"}})
    await settled(client)
    assert client.answered[number] == 1


def _holding(client: InProcessClient, held: list[Any]) -> Any:
    received = client.received

    def hold(body: bytes) -> None:
        message = json.loads(body)
        if message.get("method") == "workspace/applyEdit":
            held.append(message)
            client._news.set()
        else:
            received(body)

    return hold


@pytest.mark.parametrize(
    "response",
    [{"id": 5}, {"id": "nobody", "result": 1}, {"id": None, "error": {}}, {"result": 1}, {"id": 5, "error": "text"}],
)
async def test_responses_nobody_waits_for(client: InProcessClient, response: dict[str, Any]) -> None:
    client.send(response)
    await settled(client)
    assert client.errors_without_id == []


@pytest.mark.parametrize(
    "reply", [lambda params: 7, lambda params: [], lambda params: [7], lambda params: {"a": 1}, lambda params: None]
)
async def test_a_client_that_answers_nonsense(start: Start, reply: Any) -> None:
    client = InProcessClient()
    client.replies["workspace/configuration"] = reply
    await client.initialize(FULL)
    client.open("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1
    await client.close()


@pytest.mark.parametrize(
    "message",
    [
        {"method": "textDocument/didChange", "params": {"textDocument": {"uri": URI}}},
        {"method": "textDocument/didOpen", "params": 7},
        {"method": "workspace/didChangeConfiguration"},
        {"method": "window/nothing", "params": {}},
        {"method": "$/nothing"},
    ],
)
async def test_notifications_that_cannot_be_served_are_ignored(client: InProcessClient, message: Any) -> None:
    client.open("wrong = 1\n")
    client.send(message)
    assert len((await client.pull())["items"]) == 1
    assert client.errors_without_id == []


async def test_small_requests_are_answered_while_the_worker_computes(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 200\n")
    _, slow = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    await client.until(lambda: client.server.engine.busy)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for _ in range(50):
        await client.at("textDocument/hover", 0, 0)
    assert not slow.done()
    assert (loop.time() - start) / 50 < 0.05
    slow.cancel()


async def test_a_failing_handler_is_an_error_of_its_request_only(
    client: InProcessClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(params: Any) -> Any:
        raise ZeroDivisionError("by zero")

    async def broken_later(params: Any) -> Any:
        await asyncio.sleep(0)
        raise ZeroDivisionError("by zero")

    for handler in (broken, broken_later, lambda params: object()):
        client.server.protocol.handlers["textDocument/hover"] = handler
        with pytest.raises(ResponseError) as caught:
            await client.at("textDocument/hover", 0, 0)
        assert caught.value.code == -32603
    client.server.protocol.handlers["textDocument/didSave"] = broken_later
    client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    client.open("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1

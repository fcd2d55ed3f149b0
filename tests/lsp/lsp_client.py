"""A client that keeps the books: every message it got, and how often each of its requests was answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import rule_service

from codehunch.inference.inprocess import InProcess
from codehunch.lsp.framing import Framer, frame
from codehunch.lsp.requests import ServiceOptions
from codehunch.lsp.server import CodeHunchServer

HERE = Path(__file__).parent
SERVICE = "rule_service:create"
URI = "file:///project/module.py"

FULL: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True},
        "configuration": True,
        "diagnostics": {"refreshSupport": True},
    },
    "textDocument": {
        "diagnostic": {},
        "publishDiagnostics": {"relatedInformation": True, "codeDescriptionSupport": True, "dataSupport": True},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "refactor"]}},
            "isPreferredSupport": True,
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
            "tagSupport": {"valueSet": [1]},
        },
        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
        "inlineCompletion": {},
        "inlayHint": {},
    },
    "window": {"workDoneProgress": True},
}


class ResponseError(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data = error.get("data")


class Client:
    """Sends and receives plain JSON. Subclasses know where the server is."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self.server_requests: list[dict[str, Any]] = []
        self.answered: Counter[Any] = Counter()
        """How many responses each id has got."""
        self.errors_without_id: list[dict[str, Any]] = []
        self.replies: dict[str, Callable[[Any], Any]] = {
            "workspace/configuration": lambda params: [None for _ in params["items"]],
            "workspace/applyEdit": lambda params: {"applied": True},
        }
        """How this client answers the server's requests; ``None`` to all others."""
        self.capabilities: dict[str, Any] = {}
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._next = 0
        self._news = asyncio.Event()

    def send_body(self, body: bytes) -> None:
        raise NotImplementedError

    def send(self, message: dict[str, Any]) -> None:
        self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, **({} if params is None else {"params": params})})

    def begin(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id and the future of its result."""
        self._next += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._next] = future
        self.send({"id": self._next, "method": method, **({} if params is None else {"params": params})})
        return self._next, future

    async def request(self, method: str, params: Any = None, seconds: float = 30.0) -> Any:
        return await asyncio.wait_for(self.begin(method, params)[1], seconds)

    async def initialize(self, capabilities: dict[str, Any], **params: Any) -> Any:
        self.capabilities = await self.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities, **params}
        )
        self.notify("initialized", {})
        return self.capabilities

    def received(self, body: bytes) -> None:
        message = json.loads(body)
        if "method" in message and "id" in message:
            self.server_requests.append(message)
            result = self.replies.get(message["method"], lambda params: None)(message.get("params"))
            self.send({"id": message["id"], "result": result})
        elif "method" in message:
            self.notifications.append(message)
        elif message["id"] is None:
            self.errors_without_id.append(message["error"])
        else:
            self.answered[message["id"]] += 1
            future = self._waiting.pop(message["id"], None)
            if future is not None and not future.done():
                if "error" in message:
                    future.set_exception(ResponseError(message["error"]))
                    future.exception()
                else:
                    future.set_result(message["result"])
        self._news.set()

    async def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """The condition's value once it is true; looked at after each message."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"it never happened; the last of it: {self.notifications[-3:]}"
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.05)
        return value

    # What tests say most

    def open(self, text: str, uri: str = URI, version: int = 1, language: str = "python") -> None:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def replace(self, text: str, uri: str = URI, version: int = 2) -> None:
        self.change([{"text": text}], uri, version)

    def change(self, changes: list[dict[str, Any]], uri: str = URI, version: int = 2) -> None:
        params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def close_document(self, uri: str = URI) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    async def pull(self, uri: str = URI, previous: str | None = None) -> Any:
        params: dict[str, Any] = {"textDocument": {"uri": uri}}
        if previous is not None:
            params["previousResultId"] = previous
        return await self.request("textDocument/diagnostic", params)

    def published(self, uri: str = URI) -> list[dict[str, Any]]:
        return [
            message["params"]
            for message in self.notifications
            if message["method"] == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri
        ]

    async def published_version(self, version: int, uri: str = URI) -> dict[str, Any]:
        found = await self.until(lambda: [each for each in self.published(uri) if each.get("version") == version])
        return dict(found[-1])

    def shown(self) -> list[str]:
        return [each["params"]["message"] for each in self.notifications if each["method"] == "window/showMessage"]

    async def at(self, method: str, line: int, character: int, **more: Any) -> Any:
        position = {"line": line, "character": character}
        return await self.request(method, {"textDocument": {"uri": URI}, "position": position, **more})


class _Memory:
    """A connection without a wire."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._deliver = deliver

    async def messages(self) -> AsyncIterator[bytes | None]:
        while (body := await self.incoming.get()) is not None:
            yield body if body != b"<misframed>" else None

    def send(self, body: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._deliver, body)

    async def close(self) -> None:
        pass


class _ThreadEngine(InProcess):
    """The rule service in a thread, with the knobs of a worker process."""

    def __init__(self, server: CodeHunchServer) -> None:
        loop = asyncio.get_running_loop()
        emit = partial(loop.call_soon_threadsafe, server._worker_event)
        super().__init__(rule_service.create(ServiceOptions(), emit))
        self.options: object = None
        self.pid, self.starts, self.resident = None, 0, 0
        self.idle_seconds: float | None = None
        self.memory_limit: int | None = None

    async def restart(self) -> None:
        self.starts += 1

    def kill(self) -> None:
        pass


class InProcessClient(Client):
    """Talks to a server in the same event loop. The worker is a thread, or a real process where a test asks for it."""

    def __init__(self, service: str = SERVICE, process: bool = False) -> None:
        super().__init__()
        self.server = CodeHunchServer(service)
        if not process:
            self.server.engine = _ThreadEngine(self.server)  # type: ignore[assignment]
        self._connection = _Memory(lambda body: self.received(body))
        self._running = asyncio.ensure_future(self.server.run(self._connection))

    def send_body(self, body: bytes) -> None:
        self._connection.incoming.put_nowait(body)

    async def close(self) -> None:
        self._connection.incoming.put_nowait(None)
        await asyncio.wait_for(self._running, 5)


Start = Callable[..., Awaitable[InProcessClient]]
"""The fixture ``start``: ``await start(capabilities, **params)`` gives an initialized session."""


def command(transport: str = "stdio", service: str = SERVICE) -> list[str]:
    code = f"from codehunch.lsp.server import serve; serve({transport!r}, service={service!r})"
    return [sys.executable, "-c", code]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}


class ProcessClient(Client):
    """Talks to a server process over its pipes."""

    process: asyncio.subprocess.Process

    @classmethod
    async def spawn(cls, *argv: str, **options: Any) -> ProcessClient:
        client = cls()
        client.process = await asyncio.create_subprocess_exec(
            *(argv or command()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            **{"env": environment(), "stderr": asyncio.subprocess.PIPE, **options},
        )
        client._reader = asyncio.ensure_future(client._read())
        return client

    def send_body(self, body: bytes) -> None:
        self.send_raw(frame(body))

    def send_raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        framer = Framer()
        while data := await self.process.stdout.read(1 << 16):
            for body in framer.feed(data):
                assert body is not None
                self.received(body)

    async def ended(self, seconds: float = 60.0) -> int:
        """The exit code."""
        assert self.process.stdin is not None
        code = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reader
        self.process.stdin.close()
        return code

    async def stop(self) -> int:
        """Shut down as the protocol has it; kill what does not listen."""
        if self.process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await self.request("shutdown", seconds=5)
                self.notify("exit")
                return await self.ended(5)
            self.process.kill()
        return await self.ended()


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"

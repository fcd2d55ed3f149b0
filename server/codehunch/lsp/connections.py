"""How messages reach the server: standard streams, a TCP socket or a WebSocket. All three look alike from inside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import attrs

from codehunch.lsp.framing import MOST_BODY_BYTES, Framer, FramingError, frame

logger = logging.getLogger(__name__)

MOST_UNSENT_BYTES = 64 * 1024 * 1024
"""A client that leaves this much unread has stopped reading: the connection is given up."""

Body = bytes | None
"""A message's bytes; ``None`` for something that was framed wrongly."""


class Connection(Protocol):
    """One client."""

    def messages(self) -> AsyncIterator[Body]:
        """Bodies in the order they came, until the client goes away."""
        ...

    def send(self, body: bytes) -> None:
        """Queue a body. Never blocks and never raises: a client that is gone is noticed by ``messages``."""
        ...

    async def close(self) -> None:
        """Flush for at most half a second, then let go."""
        ...


class StdioConnection:
    """Pipes. Both directions have a thread of their own: a pipe that blocks must not stop the event loop."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._loop = asyncio.get_running_loop()
        self._incoming: asyncio.Queue[Body | EOFError] = asyncio.Queue()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unsent = 0
        self._lock = threading.Lock()
        self._broken = False
        self._writer = threading.Thread(target=self._write, name="codehunch-stdout", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read, name="codehunch-stdin", daemon=True).start()

    async def messages(self) -> AsyncIterator[Body]:
        while not isinstance(body := await self._incoming.get(), EOFError):
            yield body

    def send(self, body: bytes) -> None:
        with self._lock:
            if self._broken:
                return
            self._unsent += len(body)
            too_much = self._unsent > MOST_UNSENT_BYTES
        if too_much:
            logger.error("the client has stopped reading: giving up")
            self._end()
        else:
            self._outgoing.put(frame(body))

    async def close(self) -> None:
        self._outgoing.put(None)
        deadline = time.monotonic() + 0.5
        while self._writer.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def _read(self) -> None:
        framer = Framer()
        try:
            while data := os.read(self._read_fd, 1 << 16):
                for body in framer.feed(data):
                    self._loop.call_soon_threadsafe(self._incoming.put_nowait, body)
        except (OSError, FramingError) as error:
            logger.error("reading from the client failed: %s", error)
        except RuntimeError:  # The loop is closed: nobody listens.
            return
        self._end()

    def _write(self) -> None:
        while (data := self._outgoing.get()) is not None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._write_fd, view) :]
            except OSError:
                self._end()
                return
            with self._lock:
                self._unsent -= len(data)

    def _end(self) -> None:
        with self._lock:
            self._broken = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._incoming.put_nowait, EOFError())


class TcpConnection:
    """A socket; asyncio buffers what the client has not read yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def messages(self) -> AsyncIterator[Body]:
        framer = Framer()
        try:
            while data := await self._reader.read(1 << 16):
                for body in framer.feed(data):
                    yield body
        except (OSError, FramingError) as error:
            logger.error("reading from the client failed: %s", error)

    def send(self, body: bytes) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            logger.error("the client has stopped reading: giving up")
            self._writer.transport.abort()
        else:
            self._writer.write(frame(body))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 0.5)


class WebSocketConnection:
    """A WebSocket: one text frame is one message, without headers."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._unsent = 0
        self._sender = asyncio.ensure_future(self._send_all())
        self._closing: asyncio.Future[None] | None = None

    async def messages(self) -> AsyncIterator[Body]:
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                data = await self._socket.recv()
                yield data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        except ConnectionClosed:
            return

    def send(self, body: bytes) -> None:
        self._unsent += len(body)
        if self._unsent > MOST_UNSENT_BYTES:
            logger.error("the client has stopped reading: giving up")
            self._sender.cancel()
            self._closing = asyncio.ensure_future(self._socket.close())
        elif not self._sender.done():
            self._outgoing.put_nowait(body)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0.5):
                while self._unsent and not self._sender.done():
                    await asyncio.sleep(0.01)
                await self._socket.close()
        self._sender.cancel()

    async def _send_all(self) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                body = await self._outgoing.get()
                await self._socket.send(body.decode("ascii"))
                self._unsent -= len(body)


class WebSocket(Protocol):
    """The part of a websockets connection that is used here."""

    async def recv(self) -> str | bytes: ...

    async def send(self, message: str) -> None: ...

    async def close(self) -> None: ...


@attrs.frozen
class Address:
    host: str
    port: int


Serve = Callable[[Connection], Awaitable[None]]


async def serve_tcp(host: str, port: int, serve: Serve, listening: Callable[[Address], None]) -> None:
    """Serve the first client that connects; a server has one editor. Raises OSError when it cannot listen."""
    first: asyncio.Future[TcpConnection] = asyncio.get_running_loop().create_future()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first.done():
            logger.warning("refused a second client")
            writer.close()
        else:
            first.set_result(TcpConnection(reader, writer))

    server = await asyncio.start_server(connected, host, port)
    try:
        listening(Address(*server.sockets[0].getsockname()[:2]))
        await serve(await first)
    finally:
        server.close()


async def serve_websocket(host: str, port: int, serve: Serve, listening: Callable[[Address], None]) -> None:
    """The same over a WebSocket. Pages of other sites, which a browser lets connect anywhere, are refused."""
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen
    from websockets.http11 import Request, Response

    taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def check_origin(connection: ServerConnection, request: Request) -> Response | None:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).hostname not in ("localhost", "127.0.0.1", "::1", host):
            return connection.respond(403, f"origin {origin} may not connect\n")
        return None

    async def connected(socket: ServerConnection) -> None:
        if taken.done():
            logger.warning("refused a second client")
            await socket.close()
            return
        taken.set_result(None)
        try:
            await serve(WebSocketConnection(socket))
        finally:
            if not ended.done():
                ended.set_result(None)

    server = await listen(connected, host, port, process_request=check_origin, max_size=MOST_BODY_BYTES)
    try:
        listening(Address(*next(iter(server.sockets)).getsockname()[:2]))
        await ended
    finally:
        server.close()

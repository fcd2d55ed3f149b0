"""What a person is told outside of diagnostics: messages, each once, progress, and a status."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from lsprotocol import types

from codehunch.inference.protocol import CancelToken
from codehunch.lsp.errors import RequestError

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

logger = logging.getLogger(__name__)

_LEVELS = (
    (logging.ERROR, types.MessageType.Error),
    (logging.WARNING, types.MessageType.Warning),
    (logging.INFO, types.MessageType.Info),
    (logging.DEBUG, types.MessageType.Log),
)


class Notices:
    """Messages of one session."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._told: set[str] = set()

    def tell(self, message: str, type: types.MessageType = types.MessageType.Warning) -> None:
        """Show a message, unless this session has shown it before."""
        if message not in self._told:
            self._told.add(message)
            self._server.window_show_message(types.ShowMessageParams(type, f"CodeHunch: {message}"))

    def forget(self) -> None:
        """What was told may be told again: the person has changed something since."""
        self._told.clear()


class Progress:
    """One ``$/progress`` bar, for clients that show it; for others nothing happens.

    ``cancel`` is cancelled when the person stops the work; without it the work cannot be stopped.
    """

    def __init__(self, server: CodeHunchServer, title: str, cancel: CancelToken | None = None) -> None:
        self._server = server
        self._token = str(uuid.uuid4())
        self._begun: asyncio.Task[bool] | None = None
        if server.client.progress:
            if cancel is not None:
                server.cancellable[self._token] = cancel
            self._begun = asyncio.ensure_future(self._begin(title, cancel is not None))

    def report(self, message: str, percentage: int | None = None) -> None:
        """Shown if the client has agreed to the bar by now."""
        if self._begun is not None and self._begun.done() and self._begun.result():
            self._send(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self, message: str | None = None) -> None:
        self._server.cancellable.pop(self._token, None)
        if self._begun is not None:
            self._begun.add_done_callback(lambda begun: self._ended(begun, message))

    async def _begin(self, title: str, cancellable: bool) -> bool:
        params = types.WorkDoneProgressCreateParams(self._token)
        try:
            await self._server.protocol.request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        except RequestError as error:
            logger.debug("no progress shown: %s", error.message)
            return False
        self._send(types.WorkDoneProgressBegin(title=f"CodeHunch: {title}", cancellable=cancellable))
        return True

    def _ended(self, begun: asyncio.Task[bool], message: str | None) -> None:
        if not begun.cancelled() and begun.exception() is None and begun.result():
            self._send(types.WorkDoneProgressEnd(message=message))

    def _send(self, value: object) -> None:
        self._server.progress(types.ProgressParams(self._token, value))


State = Literal["loading", "ready", "busy", "degraded", "noModel"]


class Status:
    """``codehunch/status`` for clients that say ``experimental.codehunchStatus``: what the server is up to."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._last: tuple[State, str] | None = None

    def set(self, state: State, message: str = "") -> None:
        """Tell a change. The message is for people and may be empty."""
        if (state, message) != self._last and self._server.client.status:
            self._server.protocol.notify("codehunch/status", {"state": state, "message": message})
        self._last = state, message

    def recovered(self) -> None:
        """A model serves: whatever was wrong is so no more."""
        if self._last is not None and self._last[0] in ("degraded", "noModel"):
            self.set("ready")


class ClientLog(logging.Handler):
    """Log records in the editor's output panel. Records of other threads take the way over the event loop."""

    def __init__(self, send: Callable[[types.LogMessageParams], None]) -> None:
        super().__init__()
        self._send = send
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        kind = next((kind for level, kind in _LEVELS if record.levelno >= level), types.MessageType.Log)
        with contextlib.suppress(RuntimeError):  # The loop is closed: there is no panel any more.
            self._loop.call_soon_threadsafe(self._send, types.LogMessageParams(kind, self.format(record)))

"""What a person is told outside of diagnostics: messages, each once, and the progress of loading."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types

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


class LoadingProgress:
    """``$/progress`` from ``loading`` to ``loaded``, for clients that show it."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._tokens: dict[str, asyncio.Task[str | None]] = {}

    def begin(self, task: str) -> None:
        if self._server.client.progress and task not in self._tokens:
            self._tokens[task] = asyncio.ensure_future(self._begin(task))

    def end(self, task: str) -> None:
        begun = self._tokens.pop(task, None)
        if begun is not None:
            begun.add_done_callback(self._ended)

    async def _begin(self, task: str) -> str | None:
        token = str(uuid.uuid4())
        try:
            await self._server.protocol.request(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token)
            )
        except RequestError as error:
            logger.debug("no progress shown: %s", error.message)
            return None
        self._report(token, types.WorkDoneProgressBegin(title=f"CodeHunch: loading the {task} model"))
        return token

    def _ended(self, begun: asyncio.Task[str | None]) -> None:
        token = None if begun.cancelled() or begun.exception() else begun.result()
        if token is not None:
            self._report(token, types.WorkDoneProgressEnd())

    def _report(self, token: str, value: types.WorkDoneProgressBegin | types.WorkDoneProgressEnd) -> None:
        self._server.progress(types.ProgressParams(token, value))


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

"""Push diagnostics, for clients that do not pull: the findings of the current version and of no other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.analysis import Superseded
from codehunch.lsp.documents import Snapshot
from codehunch.lsp.rendering import diagnostics_of

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

logger = logging.getLogger(__name__)


class Publisher:
    """At most one task per document; an edit replaces it."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def schedule(self, snapshot: Snapshot) -> None:
        """Publish what is found in this version, if it is still the current one by then."""
        self._cancel(snapshot.uri)
        task = asyncio.ensure_future(self._publish(snapshot))
        self._tasks[snapshot.uri] = task
        task.add_done_callback(lambda done: self._ended(snapshot.uri, done))

    def clear(self, uri: str) -> None:
        """The document was closed: nothing of it stays on the screen."""
        self._cancel(uri)
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    async def _publish(self, snapshot: Snapshot) -> None:
        server = self._server
        try:
            report = await server.analysis.report(snapshot)
        except Superseded:
            return
        # No other code runs between this check and the message.
        if server.documents.is_current(snapshot):
            server.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(
                    uri=snapshot.uri,
                    version=snapshot.version,
                    diagnostics=diagnostics_of(snapshot, report.findings, server.client),
                )
            )

    def _cancel(self, uri: str) -> None:
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()

    def _ended(self, uri: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(uri) is task:
            del self._tasks[uri]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("publishing failed", exc_info=error)

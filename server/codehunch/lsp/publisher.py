"""Push diagnostics, for clients that do not pull: the findings of the current version and of no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.analysis import Superseded
from codehunch.lsp.rendering import draw
from codehunch.lsp.snapshots import Snapshot, path_key, path_of

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

logger = logging.getLogger(__name__)


class Publisher:
    """At most one task per program; an edit replaces it."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._scanned: dict[str, str] = {}
        """Files with something on the screen that only a scan has said: key of the path to the URI it was said with."""

    def schedule(self, program: Snapshot) -> None:
        """Publish what is found in this version, if it is still the current one by then."""
        self.cancel(program.uri)
        task = asyncio.ensure_future(self._publish(program))
        self._tasks[program.uri] = task
        task.add_done_callback(lambda done: self._ended(program.uri, done))

    def clear(self, uri: str) -> None:
        """The document was closed: nothing of it stays on the screen."""
        self.cancel(uri)
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def scanned(self, uri: str, found: list[types.Diagnostic]) -> None:
        """What a scan found in a file that nobody has open."""
        shown = self._scanned.pop(path_key(uri), None)
        if found or shown is not None:
            self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(shown or uri, found))
        if found:
            self._scanned[path_key(uri)] = shown or uri

    def withdraw(self, uri: str) -> None:
        """Clear what a scan found in a file."""
        self.scanned(uri, [])

    def withdraw_outside(self, roots: Sequence[Path]) -> None:
        """Clear what a scan found in files that are in no folder of the session any more."""
        for uri in list(self._scanned.values()):
            path = path_of(uri)
            if path is None or not any(path.is_relative_to(root) for root in roots):
                self.withdraw(uri)

    async def _publish(self, program: Snapshot) -> None:
        server = self._server
        try:
            report = await server.analysis.report(program)
        except Superseded:
            return
        # No other code runs between this check and the messages.
        for view in server.documents.views(program) if server.documents.is_current(program) else ():
            document = view.own.snapshot
            found, _ = draw(view, report, server.client, server.style(report.sure))
            server.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(document.uri, found, document.version)
            )

    def cancel(self, uri: str) -> None:
        """Publish nothing more of a program."""
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()

    def _ended(self, uri: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(uri) is task:
            del self._tasks[uri]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("publishing failed", exc_info=error)

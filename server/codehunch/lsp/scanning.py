"""Findings of files that nobody has open: read in the background, one by one, behind whatever a person does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from lsprotocol import types

from codehunch.files import SourceFile, read_source, walk
from codehunch.inference.protocol import BACKGROUND, CancelToken
from codehunch.lsp.analysis import Superseded
from codehunch.lsp.programs import view_of
from codehunch.lsp.rendering import diagnostics_of, draw, result_id_of
from codehunch.lsp.requests import CheckReply, CheckRequest
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.decoding import SourceUnreadable

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer
    from codehunch.settings import Settings, SettingsReader

logger = logging.getLogger(__name__)


@attrs.frozen
class Scanned:
    """One file of the workspace and what is shown in it."""

    uri: str
    version: int | None
    """Of the open document, ``None`` for a file on disk."""
    diagnostics: list[types.Diagnostic]
    result_id: str


@attrs.frozen
class _Seen:
    """What a file was when it was read."""

    stamp: tuple[int, int]
    settings: Settings
    scanned: Scanned


class WorkspaceScan:
    """Walks the folders of the session. A file that has not changed is not read again."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._seen: dict[str, _Seen] = {}
        self.changed = asyncio.Event()
        """Set when a file may look different from what the last scan said."""
        self.changed.set()

    def forget(self) -> None:
        """Settings or bundles have changed: every file has to be read again."""
        self._seen.clear()
        self.changed.set()

    async def run(self, cancel: CancelToken) -> AsyncIterator[Scanned]:
        """All files in the order of the walk. Ends early at a cancel.

        Raises WorkerError where nothing can be read, such as without a bundle.
        """
        server = self._server
        self.changed.clear()
        await server.start_options()
        languages = await server.engine.call("languages", None, priority=BACKGROUND, cancel=cancel)
        assert isinstance(languages, tuple)
        reader = server.configuration.reader
        entries = walk([str(root) for root in server.roots], languages, reader.for_folder)
        while not cancel.cancelled:
            file = await asyncio.to_thread(_next_file, entries)
            if file is None:
                return
            scanned = await self._scan(file, reader, cancel)
            if scanned is not None:
                yield scanned

    async def _scan(self, file: SourceFile, reader: SettingsReader, cancel: CancelToken) -> Scanned | None:
        server = self._server
        uri = server.documents.spelling(Path(file.path).as_uri())
        view = server.documents.view(uri)
        if view is not None:
            try:
                report = await server.analysis.report(view.program)
                drawn = draw(view, report, server.client, server.style(report.sure))
            except Superseded:  # Being typed in: its own diagnostics follow the typing.
                return None
            return Scanned(uri, view.own.snapshot.version, *drawn)
        settings = await asyncio.to_thread(reader.for_file, file.path)
        if settings.languages and file.language not in settings.languages:
            return None
        stamp = await asyncio.to_thread(_stamp, file.path)
        seen = self._seen.get(uri)
        if stamp is None or (seen is not None and (seen.stamp, seen.settings) == (stamp, settings)):
            return seen.scanned if seen is not None and stamp is not None else None
        try:
            source = (await asyncio.to_thread(read_source, file, settings.max_file_bytes)).source
        except SourceUnreadable as error:
            logger.debug("%s: %s", file.path, error.reason)
            return None
        ignore = settings.codes_ignored_in(file.path)
        request = CheckRequest(
            "", source.text, file.language, settings.sensitivity, settings.select, ignore, path=file.path
        )
        reply = await server.engine.call("check", request, priority=BACKGROUND, cancel=cancel)
        assert isinstance(reply, CheckReply)
        view = view_of(Snapshot(uri, 0, file.language, source))
        findings = await server.opinions.wanted(view.program, reply)
        diagnostics = diagnostics_of(view, findings, server.client, server.style(reply.sure))
        scanned = Scanned(uri, None, diagnostics, result_id_of(diagnostics))
        self._seen[uri] = _Seen(stamp, settings, scanned)
        return scanned


def _next_file(entries: Iterator[object]) -> SourceFile | None:
    return next((entry for entry in entries if isinstance(entry, SourceFile)), None)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        info = Path(path).stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size

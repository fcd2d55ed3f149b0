"""The index of the workspace's functions: made in the background, behind whatever a person does, and kept up."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codehunch.files import SourceFile, walk
from codehunch.generation.index import Stamp, changed
from codehunch.inference.errors import Cancelled, WorkerError
from codehunch.inference.protocol import BACKGROUND, CancelToken
from codehunch.lsp.notices import Progress
from codehunch.lsp.places import cache_folder
from codehunch.lsp.requests import IndexRequest

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer
    from codehunch.settings import SettingsReader

logger = logging.getLogger(__name__)

LANGUAGES = ("python",)
"""What bodies are written in."""
_BATCH = 16
_SHOWN_FROM = 64
"""A bar for fewer files would only flicker."""


def index_file(root: Path) -> Path:
    """Where the index of a workspace lies."""
    key = hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return cache_folder() / "index" / f"{key}.sqlite"


class WorkspaceIndex:
    """Keeps the worker's index like the folders of the session. Belongs to the event loop."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._run: asyncio.Task[None] | None = None
        self._cancel = CancelToken()
        self._known: dict[str, Stamp] = {}
        self._stopped = False
        """By the person, or because it cannot be done: not again in this session."""

    @property
    def enabled(self) -> bool:
        """Whether the settings want an index, and there is a folder to be indexed."""
        editor = self._server.configuration.editor
        return bool(self._server.roots) and editor.generation and editor.workspace_index

    def begin(self) -> None:
        """Look at every file once; a second call while that lasts, or after it, does nothing."""
        if self.enabled and not self._stopped and self._run is None:
            self._cancel = CancelToken()
            self._run = asyncio.ensure_future(self._guarded(self._all()))

    def again(self) -> None:
        """Folders or settings have changed."""
        self._cancel.cancel()
        if self._run is not None:
            self._run = None
            self.begin()

    def touched(self, paths: Iterable[Path | None]) -> None:
        """Files were saved, made, or deleted on disk."""
        files = [str(path) for path in paths if path is not None and path.suffix in (".py", ".pyi", ".pyw")]
        if files and self.enabled and not self._stopped and self._run is not None:
            self._server.protocol.background(self._guarded(self._some(files)), "indexing")

    async def _guarded(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        try:
            await work
        except Cancelled:
            pass
        except WorkerError as error:
            # Bodies are written without it; nobody has to be told.
            logger.warning("the workspace is not indexed: %s", error)
            self._stopped = error.kind == "IndexUnusable"

    async def _all(self) -> None:
        server = self._server
        await server.start_options()
        cancel, reader = self._cancel, server.configuration.reader
        found = await asyncio.to_thread(_stamps, server.roots, reader, cancel)
        known = await server.engine.call("indexed", None, priority=BACKGROUND, cancel=cancel)
        assert isinstance(known, dict)
        self._known = found
        fresh, gone = changed(known, found)
        if gone:
            await self._call(IndexRequest((), tuple(gone)), cancel)
        stop = CancelToken()
        progress = Progress(server, "indexing the workspace", stop) if len(fresh) >= _SHOWN_FROM else None
        try:
            for start in range(0, len(fresh), _BATCH):
                if stop.cancelled:
                    self._stopped = True
                    break
                if progress is not None:
                    progress.report(f"{start} of {len(fresh)} files", 100 * start // len(fresh))
                batch = fresh[start : start + _BATCH]
                await self._call(IndexRequest(tuple((path, found[path]) for path in batch)), cancel)
        finally:
            if progress is not None:
                progress.end()

    async def _some(self, files: Sequence[str]) -> None:
        """Files that were saved or deleted. What the last walk did not see is read only if a walk sees it now."""
        server, cancel = self._server, self._cancel
        if any(file not in self._known for file in files):
            self._known = await asyncio.to_thread(_stamps, server.roots, server.configuration.reader, cancel)
        stamps = await asyncio.to_thread(lambda: {file: _stamp(file) for file in files if file in self._known})
        read = tuple((file, stamp) for file, stamp in stamps.items() if stamp is not None)
        gone = tuple(file for file, stamp in stamps.items() if stamp is None)
        if read or gone:
            await self._call(IndexRequest(read, gone), cancel)

    async def _call(self, request: IndexRequest, cancel: CancelToken) -> None:
        await self._server.engine.call("index", request, priority=BACKGROUND, cancel=cancel)


def _stamps(roots: Sequence[Path], reader: SettingsReader, cancel: CancelToken) -> dict[str, Stamp]:
    """The files of a walk, ignore files honoured, with their times and sizes."""
    found: dict[str, Stamp] = {}
    for entry in walk([str(root) for root in roots], LANGUAGES, reader.for_folder):
        if cancel.cancelled:
            break
        if isinstance(entry, SourceFile) and (stamp := _stamp(entry.path)) is not None:
            found[entry.path] = stamp
    return found


def _stamp(path: str) -> Stamp | None:
    try:
        info = Path(path).stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size

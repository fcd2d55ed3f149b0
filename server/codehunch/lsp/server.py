"""The language server: what one session holds, and how it starts and ends.

One file per method lies in ``methods/``. Everything here runs on one event loop; whatever takes time runs in the
worker process behind ``engine`` or in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from codehunch import __version__
from codehunch.inference.errors import WorkerError
from codehunch.inference.protocol import CancelToken
from codehunch.inference.worker import WorkerClient
from codehunch.lsp.analysis import Analysis
from codehunch.lsp.capabilities import Client
from codehunch.lsp.configuration import Configuration
from codehunch.lsp.connections import Address, Connection, StdioConnection, serve_tcp, serve_websocket
from codehunch.lsp.conversion import tolerant_converter
from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.hot_swap import follow_store
from codehunch.lsp.indexing import WorkspaceIndex, index_file
from codehunch.lsp.notices import ClientLog, Notices, Progress, Status
from codehunch.lsp.opinions import Opinions
from codehunch.lsp.protocol import Protocol
from codehunch.lsp.publisher import Publisher
from codehunch.lsp.rendering import CONFIDENT, Style
from codehunch.lsp.requests import CheckRequest, ServiceOptions
from codehunch.lsp.scanning import WorkspaceScan
from codehunch.lsp.snapshots import Snapshot
from codehunch.lsp.suggestions import Suggestions
from codehunch.lsp.watchdog import watch
from codehunch.settings import Settings
from codehunch.syntax.languages import LANGUAGES

logger = logging.getLogger(__name__)

SERVICE = "codehunch.lsp.service:create"
_LANGUAGES = {spec.name for spec in LANGUAGES}
_SECONDS_TO_END = 1.0


class CodeHunchServer(LanguageServer):
    """One session with one client. Belongs to its event loop."""

    protocol: Protocol

    def __init__(self, service: str = SERVICE) -> None:
        super().__init__(
            "codehunch", __version__, protocol_cls=Protocol, converter_factory=tolerant_converter, max_workers=1
        )
        self.client = Client()
        self.roots: tuple[Path, ...] = ()
        self.notices = Notices(self)
        self.documents = DocumentStore()
        self.configuration = Configuration(self.notices.tell)
        self.initialization_options: object = None
        self.status = Status(self)
        self.cancellable: dict[types.ProgressToken, CancelToken] = {}
        """What the person can stop at its progress bar."""
        self._loading: dict[str, Progress] = {}
        self.engine = WorkerClient(service, ServiceOptions(), on_event=self._worker_event)
        self.opinions = Opinions(self)
        self.analysis = Analysis(
            self.documents,
            lambda: self.engine,
            self.check_request,
            self.opinions.wanted,
            self.worker_failed,
            self.status.recovered,
        )
        self.suggestions = Suggestions(self)
        self.publisher = Publisher(self)
        self.scan = WorkspaceScan(self)
        self.index = WorkspaceIndex(self)
        self.offers_workspace_diagnostics = False
        self.exit_code: int | None = None
        self._ended = asyncio.Event()
        register_methods(self)

    @property
    def root(self) -> Path | None:
        """The folder that speaks for documents without a place."""
        return self.roots[0] if self.roots else None

    async def settings_of(self, snapshot: Snapshot) -> Settings:
        """What holds for a document; untitled ones belong to the first folder."""
        path = snapshot.path or (self.root / "untitled" if self.root else None)
        return await self.configuration.for_path(path)

    async def check_request(self, snapshot: Snapshot) -> CheckRequest | None:
        """What the command line would check for this file; ``None`` where nothing is to be checked."""
        language = snapshot.language
        if not self.configuration.editor.diagnostics or language not in _LANGUAGES:
            return None
        settings = await self.settings_of(snapshot)
        await self.start_options()
        if settings.languages and language not in settings.languages:
            return None
        path = snapshot.path
        if path is not None and settings.exclude.verdict(str(path)):
            return None
        ignore = settings.codes_ignored_in(path) if path is not None else settings.ignore
        text = snapshot.source.text
        where = str(path) if path is not None else ""
        return CheckRequest(snapshot.uri, text, language, settings.sensitivity, settings.select, ignore, path=where)

    async def start_options(self) -> None:
        """Threads and models are the worker's: the settings of the first folder decide when it starts."""
        if self.engine.starts == 0:
            options = await self.wanted_options()
            if self.engine.starts == 0 and self.engine.options != options:
                self.engine.options = options

    async def wanted_options(self) -> ServiceOptions:
        """What a worker started now should be started with."""
        settings = await self.configuration.for_path(self.root / "untitled" if self.root else None)
        index = str(index_file(self.root)) if self.root is not None and self.index.enabled else None
        return ServiceOptions(
            settings.threads,
            settings.models,
            settings.generation_model,
            index,
            settings.inference_endpoint,
            settings.cache,
        )

    def style(self, sure: float = CONFIDENT) -> Style:
        """How findings are shown; ``sure`` is what the bundle reports even at low sensitivity."""
        return Style(sure, dict(self.configuration.editor.severity))

    def apply_limits(self) -> None:
        """Make the worker's keeper follow the settings."""
        editor = self.configuration.editor
        self.engine.idle_seconds = editor.idle_unload
        self.engine.memory_limit = int(editor.memory_limit * 1_000_000)

    def apply_configuration(self) -> None:
        """Make the session follow settings that may have changed; open documents are looked at again."""
        self.apply_limits()
        self.refresh()
        if self.engine.starts:
            self.protocol.background(self._follow_options(), "following the settings")

    async def _follow_options(self) -> None:
        """A worker that runs with other models or threads than are wanted by now is replaced."""
        options = await self.wanted_options()
        if self.engine.options not in (options, None):
            self.engine.options = options
            await self.engine.restart()

    def refresh(self) -> None:
        """What is known about open documents holds no longer: ask the client to pull, or push again."""
        self.suggestions.forget()
        self.redraw()

    def redraw(self) -> None:
        """The same texts may be shown with other findings."""
        self.analysis.invalidate()
        self.scan.forget()
        if not self.client.pull_diagnostics:
            for program in self.documents.programs():
                self.publisher.schedule(program)
        elif self.client.diagnostic_refresh and (len(self.documents) or self.offers_workspace_diagnostics):
            self.protocol.ask(types.WORKSPACE_DIAGNOSTIC_REFRESH, None)

    def worker_failed(self, error: WorkerError) -> None:
        """Tell the person, once, why there are no findings or bodies. The server goes on."""
        if self.exit_code is not None:  # Stopping the worker is part of the end.
            return
        logger.warning("%s: %s", error.kind or type(error).__name__, error)
        self.notices.tell(str(error))
        self.status.set("noModel" if error.kind == "BundleError" else "degraded", str(error))

    def _worker_event(self, name: str, value: object) -> None:
        if name == "loading":
            self._loading[str(value)] = Progress(self, f"loading the {value} model")
            self.status.set("loading", str(value))
        elif name == "loaded":
            self._loading.pop(str(value)).end()
            self.status.set("ready")
        elif name == "warning":
            self.notices.tell(str(value))
        elif name == "bundles-changed":
            self.notices.forget()
            self.status.set("ready")
            self.refresh()

    def stop(self, exit_code: int) -> None:
        """End the session; the first reason counts."""
        if self.exit_code is None:
            self.exit_code = exit_code
        self._ended.set()

    async def wait_ended(self) -> None:
        await self._ended.wait()

    async def run(self, connection: Connection) -> None:
        """Serve one client until it leaves or something ends the session. Leaves no process behind."""
        self.protocol.connection = connection
        reading = asyncio.ensure_future(self._read(connection))
        ended = asyncio.ensure_future(self._ended.wait())
        following = asyncio.ensure_future(follow_store(self))
        log = ClientLog(self._log)
        logging.getLogger("codehunch").addHandler(log)
        try:
            await asyncio.wait((reading, ended), return_when=asyncio.FIRST_COMPLETED)
            self.stop(0 if self.protocol.shutting_down else 1)
        finally:
            logging.getLogger("codehunch").removeHandler(log)
            reading.cancel()
            ended.cancel()
            following.cancel()
            self.protocol.cancel_all()
            self.protocol.abandon_client_requests()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.engine.close(), _SECONDS_TO_END)
            self.engine.kill()
            await connection.close()

    async def _read(self, connection: Connection) -> None:
        async for body in connection.messages():
            self.protocol.receive(body)
            # The first step of what this message started runs before the next message is looked at.
            await asyncio.sleep(0)

    def _log(self, params: types.LogMessageParams) -> None:
        if self.protocol.initialized:
            self.window_log_message(params)


def register_methods(server: CodeHunchServer) -> None:
    """Give every method of ``methods/`` its place in the protocol."""
    from codehunch.lsp.methods import METHODS

    for method, handler in METHODS.items():
        server.protocol.handlers[method] = _bound(handler, server)


def _bound(handler: Callable[..., object], server: CodeHunchServer) -> Callable[[object], object]:
    return lambda params: handler(server, params)


def serve(
    transport: Literal["stdio", "tcp", "ws"] = "stdio",
    host: str = "127.0.0.1",
    port: int = 0,
    client_process_id: int | None = None,
    service: str = SERVICE,
) -> None:
    """Run the server and end the process: 0 after a proper shutdown, 1 otherwise, 143 after SIGTERM.

    The address a socket listens on is told on stderr. Never returns.
    """
    _have_stderr()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("codehunch").setLevel(logging.INFO)
    # A loop of our own rather than asyncio.run, which waits for threads that a slow disk may hold up.
    loop = asyncio.new_event_loop()
    code = 1
    try:
        code = loop.run_until_complete(_serve(transport, host, port, client_process_id, service))
    except OSError as error:
        print(f"codehunch: cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
        code = 2
    finally:
        logging.shutdown()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


async def _serve(transport: str, host: str, port: int, client_process_id: int | None, service: str) -> int:
    # Before anything can print: stdout is the protocol's alone, in this process and in its children.
    pipes = _private_stdio() if transport == "stdio" else None
    server = CodeHunchServer(service)
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            _on_signal(loop, number, server)
    if client_process_id is not None:
        watch(client_process_id, lambda: loop.call_soon_threadsafe(server.stop, 1))

    def listening(address: Address) -> None:
        print(f"codehunch: listening on {address.host}:{address.port}", file=sys.stderr, flush=True)

    if pipes is not None:
        await server.run(StdioConnection(*pipes))
    else:
        listen = serve_tcp if transport == "tcp" else serve_websocket
        serving = asyncio.ensure_future(listen(host, port, server.run, listening))
        ended = asyncio.ensure_future(server.wait_ended())
        await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            # A signal: let a session that runs close its worker, and do not wait for a client that never came.
            await asyncio.wait((serving,), timeout=_SECONDS_TO_END + 0.5 if server.protocol.connection else 0)
        if serving.done():
            serving.result()
    return server.exit_code if server.exit_code is not None else 1


def _have_stderr() -> None:
    """An editor may start us without one. Its number must not go to something else, nor print() to stdout."""
    try:
        os.fstat(2)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != 2:
            os.dup2(null, 2)
            os.close(null)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _private_stdio() -> tuple[int, int]:
    """The protocol's own descriptors. From now on print() goes to stderr and reading stdin finds its end."""
    sys.stdout.flush()
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # An end by a signal would lose what waits.
    return read_fd, write_fd


def _on_signal(loop: asyncio.AbstractEventLoop, number: int, server: CodeHunchServer) -> None:
    code = 128 + number
    try:
        loop.add_signal_handler(number, server.stop, code)
    except NotImplementedError:  # Windows.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(server.stop, code))

"""The worker process seen from the server: started when first needed, restarted when it died, stopped when idle."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import pickle
import time
from collections.abc import Callable
from typing import Any, cast

import attrs

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.frames import HEADER, unpack
from codehunch.inference.processes import kill, spawn, write
from codehunch.inference.protocol import INTERACTIVE, CancelToken

logger = logging.getLogger(__name__)

HEADROOM = 1_000_000_000
_LONGEST_DELAY = 10.0
_SECONDS_TO_END = 1.0
_LASTING = 30.0
"""A worker that lived this many seconds did not die of its start."""


@attrs.define(eq=False)
class _Pending:
    """A call on its way, shared by identical ones."""

    id: int
    key: bytes
    priority: int
    future: asyncio.Future[object]
    waiters: int = 0


class WorkerClient:
    """An Engine over one spawned process.

    ``service`` names a factory as ``"module:function"``; the worker calls it with ``options`` and an ``emit``
    whose events arrive here at ``on_event(name, value)``. Nothing is spawned before the first call.

    A worker that dies fails its pending calls with WorkerDied; the next call starts another one, after a delay
    that doubles with every death that followed no answer. After ``idle_seconds`` without a call, or once an idle
    worker holds more than ``memory_limit`` bytes, the process is stopped and all its memory goes back to the system.
    A worker gets at most ``HEADROOM`` bytes more than the limit, where the system can refuse: the call that asks for
    more fails, the others are served.
    """

    def __init__(
        self,
        service: str,
        options: object = None,
        *,
        on_event: Callable[[str, object], None] | None = None,
        idle_seconds: float | None = None,
        memory_limit: int | None = None,
        log_level: int = logging.INFO,
    ) -> None:
        self._service = service
        self.options = options
        """Sent to the next worker that starts; ``restart`` makes a running one see a change."""
        self._on_event = on_event
        self.idle_seconds = idle_seconds
        self.memory_limit = memory_limit
        self._log_level = log_level
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[asyncio.subprocess.Process] | None = None
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._by_key: dict[bytes, _Pending] = {}
        self._deaths = 0
        self._started_at = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.starts = 0
        """How many workers have been started so far."""
        self.resident = 0
        """Resident bytes of the worker at its last answer, 0 where that is unknown."""

    @property
    def pid(self) -> int | None:
        """The running worker's process id."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def busy(self) -> int:
        """Calls without an answer."""
        return len(self._pending)

    async def call(
        self, method: str, payload: object, *, priority: int = INTERACTIVE, cancel: CancelToken | None = None
    ) -> object:
        """See Engine.call. Identical calls on their way at the same time share one answer."""
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        body = pickle.dumps(payload, protocol=pickle.HIGHEST_PROTOCOL)
        key = method.encode() + b"\0" + body
        process = await self._running(cancel)
        pending = self._by_key.get(key)
        if pending is None or pending.priority > priority:
            pending = self._send(process, key, method, body, priority)
        return await self._wait(pending, cancel)

    async def restart(self) -> None:
        """Stop the worker; the next call starts one with the current options. Pending calls fail with WorkerDied."""
        await self._stop()
        self._deaths = 0

    async def close(self) -> None:
        """See Engine.close. Takes at most about a second."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._starting
        await self._stop()

    def kill(self) -> None:
        """End the process at once, from any state; for a server that has no time left."""
        self._closed = True
        if self._process is not None:
            kill(self._process)

    def _send(
        self, process: asyncio.subprocess.Process, key: bytes, method: str, body: bytes, priority: int
    ) -> _Pending:
        pending = _Pending(next(self._ids), key, priority, asyncio.get_running_loop().create_future())
        # A future nobody awaits any more, because its caller was cancelled, must not be reported as lost.
        pending.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._pending[pending.id] = self._by_key[key] = pending
        self._stop_idle_timer()
        write(process, ("call", pending.id, method, body, priority))
        return pending

    async def _wait(self, pending: _Pending, cancel: CancelToken | None) -> object:
        """The answer, or Cancelled as soon as the token says so; the last waiter to leave cancels the work."""
        pending.waiters += 1
        gone, forget = _signal_of(cancel)
        try:
            await asyncio.wait((pending.future, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            forget()
            pending.waiters -= 1
            if not pending.waiters and not pending.future.done():
                self._give_up(pending)
        if gone.done() and not pending.future.done():
            raise Cancelled
        return await pending.future

    def _give_up(self, pending: _Pending) -> None:
        # It stays in _pending until the worker says it is over; later identical calls must not join it.
        if self._by_key.get(pending.key) is pending:
            del self._by_key[pending.key]
        if self._process is not None:
            write(self._process, ("cancel", pending.id))

    async def _running(self, cancel: CancelToken | None) -> asyncio.subprocess.Process:
        """The process, started if there is none; waits out the back-off, but not past a cancel."""
        while self._process is None or self._process.returncode is not None:
            if self._closed:
                raise WorkerDied("the worker is shut down")
            if self._starting is None:
                self._starting = asyncio.ensure_future(self._start())
                self._starting.add_done_callback(self._start_ended)
            gone, forget = _signal_of(cancel)
            starting = self._starting
            try:
                await asyncio.wait((starting, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                forget()
            if gone.done():
                raise Cancelled
            if starting.cancelled():
                raise WorkerDied("the worker is shut down")
            starting.result()
        return self._process

    def _start_ended(self, task: asyncio.Task[asyncio.subprocess.Process]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()

    async def _start(self) -> asyncio.subprocess.Process:
        if self._reader is not None:
            await self._reader
        if self._deaths > 1:
            await asyncio.sleep(min(_LONGEST_DELAY, 0.1 * 2 ** (self._deaths - 2)))
        try:
            process = await spawn()
        except OSError as error:
            self._deaths += 1
            raise WorkerError(f"the worker process did not start: {error}") from error
        self._process = process
        self._started_at = time.monotonic()
        self.starts += 1
        ceiling = None if self.memory_limit is None else self.memory_limit + HEADROOM
        write(process, ("start", self._service, self.options, self._log_level, ceiling))
        self._reader = asyncio.ensure_future(self._read(process))
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Deliver what the worker says until its pipe ends, then settle what it left behind."""
        stream = process.stdout
        assert stream is not None
        unable = ""
        try:
            while True:
                (length,) = HEADER.unpack(await stream.readexactly(HEADER.size))
                message = cast(tuple[Any, ...], unpack(await stream.readexactly(length)))
                if message[0] == "unable":
                    unable = message[1]
                else:
                    self._deliver(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:
            logger.exception("unreadable message from the worker")
        try:
            code = await asyncio.wait_for(process.wait(), _SECONDS_TO_END)
        except TimeoutError:  # It closed its pipe and lives on: not a state to stay in.
            kill(process)
            code = await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if self._process is process:
            self._process = None
            self._deaths = 1 if time.monotonic() - self._started_at > _LASTING else self._deaths + 1
            logger.warning("the worker process ended with status %s", code)
        self._fail_pending(unable or f"the worker process ended with status {code}; the next request starts a new one")

    def _deliver(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("outcome", job_id, value, error, cancelled, resident):
                self._deaths = 0
                self.resident = resident
                self._settle(job_id, value, error, cancelled)
            case ("event", name, value):
                if self._on_event is not None:
                    try:
                        self._on_event(name, value)
                    except Exception:
                        logger.exception("an event handler failed")
            case ("log", level, name, text):
                logging.getLogger(name).log(level, "%s", text)

    def _settle(self, job_id: int, value: object, error: tuple[str, str] | None, cancelled: bool) -> None:
        pending = self._pending.pop(job_id, None)
        if pending is None:
            return
        if self._by_key.get(pending.key) is pending:
            del self._by_key[pending.key]
        if not pending.future.done():
            if cancelled:
                pending.future.set_exception(Cancelled())
            elif error is not None:
                pending.future.set_exception(WorkerError(error[1], kind=error[0]))
            else:
                pending.future.set_result(value)
        if not self._pending:
            self._fell_idle()

    def _fail_pending(self, message: str) -> None:
        for pending in list(self._pending.values()):
            if not pending.future.done():
                pending.future.set_exception(WorkerDied(message))
        self._pending.clear()
        self._by_key.clear()

    def _fell_idle(self) -> None:
        self._stop_idle_timer()
        if self.memory_limit is not None and self.resident > self.memory_limit:
            logger.info("the worker held %d MB: starting afresh", self.resident >> 20)
            self._idle_timer = asyncio.get_running_loop().call_later(0, self._unload)
        elif self.idle_seconds is not None:
            self._idle_timer = asyncio.get_running_loop().call_later(self.idle_seconds, self._unload)

    def _unload(self) -> None:
        process = self._process
        if process is None or self._pending:
            return
        self._process = None
        if process.stdin is not None:
            process.stdin.close()

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    async def _stop(self) -> None:
        self._stop_idle_timer()
        process, self._process = self._process, None
        if process is not None:
            kill(process)
        if self._reader is not None:
            await self._reader
            self._reader = None


def _signal_of(cancel: CancelToken | None) -> tuple[asyncio.Future[None], Callable[[], None]]:
    """A future that is done once the token is cancelled, and a function that ends the watch."""
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle() -> None:
        if not gone.done():
            gone.set_result(None)

    return gone, cancel.on_cancel(settle) if cancel is not None else lambda: None

"""The engine without a process: the service runs in one thread of this one."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import threading

import attrs

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.jobs import Job, JobQueue, Outcome, run_job
from codehunch.inference.protocol import INTERACTIVE, CancelToken


@attrs.define(eq=False)
class _Pending:
    """A call on its way, shared by identical ones."""

    job: Job
    key: bytes
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Outcome]
    waiters: int = 0


class InProcess:
    """Same calls, order and errors as WorkerClient; a crash of the service takes this process along."""

    def __init__(self, service: object) -> None:
        self._service = service
        self._queue = JobQueue()
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._by_key: dict[bytes, _Pending] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> int:
        """Calls without an answer."""
        return len(self._pending)

    async def call(
        self, method: str, payload: object, *, priority: int = INTERACTIVE, cancel: CancelToken | None = None
    ) -> object:
        """See Engine.call. Identical calls on their way at the same time share one answer."""
        if self._stop.is_set():
            raise WorkerDied("the engine is closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="codehunch-engine", daemon=True)
            self._thread.start()
        key = method.encode() + b"\0" + pickle.dumps(payload, protocol=pickle.HIGHEST_PROTOCOL)
        pending = self._by_key.get(key)
        if pending is None or pending.job.priority > priority or pending.future.done():
            loop = asyncio.get_running_loop()
            job = Job(next(self._ids), method, lambda: payload, priority)
            pending = self._pending[job.id] = self._by_key[key] = _Pending(job, key, loop, loop.create_future())
            self._queue.put(job)
        outcome = await self._wait(pending, cancel)
        if outcome.cancelled:
            raise Cancelled
        if outcome.error is not None:
            name = type(outcome.error).__name__
            raise WorkerError(str(outcome.error) or name, kind=name) from outcome.error
        return outcome.value

    async def _wait(self, pending: _Pending, cancel: CancelToken | None) -> Outcome:
        """The outcome, or a cancelled one as soon as the token says so; the last waiter to leave cancels the work."""
        gone: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def give_up() -> None:
            if not gone.done():
                gone.set_result(Outcome(pending.job.id, cancelled=True))

        pending.waiters += 1
        forget = cancel.on_cancel(give_up) if cancel is not None else lambda: None
        try:
            done, _ = await asyncio.wait((pending.future, gone), return_when=asyncio.FIRST_COMPLETED)
            return gone.result() if gone in done else pending.future.result()
        finally:
            forget()
            pending.waiters -= 1
            if not pending.waiters:
                self._queue.cancel(pending.job.id)
                self._pending.pop(pending.job.id, None)
                if self._by_key.get(pending.key) is pending:
                    del self._by_key[pending.key]

    async def close(self) -> None:
        """See Engine.close."""
        self._stop.set()
        for pending in list(self._pending.values()):
            if not pending.future.done():
                pending.loop.call_soon(_fail, pending.future)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self._queue.take(timeout=0.1)
            if job is not None:
                run_job(self._service, job, self._queue, self._answer)

    def _answer(self, outcome: Outcome) -> None:
        pending = self._pending.get(outcome.id)
        if pending is not None and not pending.loop.is_closed():
            pending.loop.call_soon_threadsafe(_settle, pending.future, outcome)


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _fail(future: asyncio.Future[Outcome]) -> None:
    if not future.done():
        future.set_exception(WorkerDied("the engine was closed"))

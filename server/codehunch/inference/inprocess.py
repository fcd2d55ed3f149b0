"""The engine without a process: the service runs in one thread of this one."""

from __future__ import annotations

import asyncio
import itertools
import threading

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.jobs import Job, JobQueue, Outcome, run_job
from codehunch.inference.protocol import INTERACTIVE, CancelToken


class InProcess:
    """Same calls, order and errors as WorkerClient; a crash of the service takes this process along."""

    def __init__(self, service: object) -> None:
        self._service = service
        self._queue = JobQueue()
        self._ids = itertools.count(1)
        self._futures: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Future[Outcome]]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def call(
        self, method: str, payload: object, *, priority: int = INTERACTIVE, cancel: CancelToken | None = None
    ) -> object:
        """See Engine.call."""
        if self._stop.is_set():
            raise WorkerDied("the engine is closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="codehunch-engine", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        job = Job(next(self._ids), method, lambda: payload, priority)
        self._futures[job.id] = (loop, future)

        def give_up() -> None:
            self._queue.cancel(job.id)
            if not future.done():
                future.set_result(Outcome(job.id, cancelled=True))

        self._queue.put(job)
        forget = cancel.on_cancel(give_up) if cancel is not None else lambda: None
        try:
            outcome = await future
        except asyncio.CancelledError:
            self._queue.cancel(job.id)
            raise
        finally:
            forget()
            self._futures.pop(job.id, None)
        if outcome.cancelled:
            raise Cancelled
        if outcome.error is not None:
            name = type(outcome.error).__name__
            raise WorkerError(str(outcome.error) or name, kind=name) from outcome.error
        return outcome.value

    async def close(self) -> None:
        """See Engine.close."""
        self._stop.set()
        for loop, future in list(self._futures.values()):
            if not future.done():
                loop.call_soon(_fail, future)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self._queue.take(timeout=0.1)
            if job is not None:
                run_job(self._service, job, self._queue, self._answer)

    def _answer(self, outcome: Outcome) -> None:
        loop, future = self._futures.get(outcome.id, (None, None))
        if loop is not None and future is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_settle, future, outcome)


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _fail(future: asyncio.Future[Outcome]) -> None:
    if not future.done():
        future.set_exception(WorkerDied("the engine was closed"))

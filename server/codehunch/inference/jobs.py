"""The order of work on the side that does it: urgent jobs first, also in the middle of a long one."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

import attrs

from codehunch.inference.errors import Cancelled

logger = logging.getLogger(__name__)


@attrs.define(eq=False)
class Job:
    """One call of a service method."""

    id: int
    method: str
    payload: Callable[[], object]
    """Gives the argument; called by the thread that runs the job, so that what fails there fails the job."""
    priority: int
    cancelled: bool = False


@attrs.frozen
class Outcome:
    """What became of a job; exactly one of the three."""

    id: int
    value: object = None
    error: BaseException | None = None
    cancelled: bool = False


class JobQueue:
    """A thread-safe heap of jobs, first come first served within one priority."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._heap: list[tuple[int, int, Job]] = []
        self._order = itertools.count()
        self._jobs: dict[int, Job] = {}

    def put(self, job: Job) -> None:
        with self._condition:
            self._jobs[job.id] = job
            heapq.heappush(self._heap, (job.priority, next(self._order), job))
            self._condition.notify()

    def cancel(self, job_id: int) -> None:
        """Flag a job, queued or running; one that is done is no longer known."""
        with self._condition:
            if (job := self._jobs.get(job_id)) is not None:
                job.cancelled = True

    def done(self, job: Job) -> None:
        with self._condition:
            self._jobs.pop(job.id, None)

    def take(self, timeout: float | None = None) -> Job | None:
        """The next job, or ``None`` after ``timeout`` seconds."""
        with self._condition:
            if not self._condition.wait_for(lambda: bool(self._heap), timeout):
                return None
            return heapq.heappop(self._heap)[2]

    def take_before(self, priority: int) -> Job | None:
        """The next job if it is more urgent than ``priority``; never waits."""
        # Reading the length without the lock: a job missed here is seen at the next step.
        if not self._heap:
            return None
        with self._condition:
            if self._heap and self._heap[0][0] < priority:
                return heapq.heappop(self._heap)[2]
            return None


def run_job(service: object, job: Job, queue: JobQueue, answer: Callable[[Outcome], None]) -> None:
    """Run a job and answer it exactly once, whatever the service does.

    More urgent jobs run inside the ``cancelled()`` the service calls between its steps: one thread, no
    contention for the cores, and nesting only as deep as there are priorities.
    """

    def cancelled() -> bool:
        while (urgent := queue.take_before(job.priority)) is not None:
            run_job(service, urgent, queue, answer)
        return job.cancelled

    try:
        if job.cancelled:
            outcome = Outcome(job.id, cancelled=True)
        else:
            method = None if job.method.startswith("_") else getattr(service, job.method, None)
            if method is None:
                raise AttributeError(f"the worker has no method {job.method!r}")
            outcome = Outcome(job.id, value=method(job.payload(), cancelled))
    except Cancelled:
        outcome = Outcome(job.id, cancelled=True)
    except Exception as error:  # One failing job must not end the worker.
        logger.debug("%s failed", job.method, exc_info=True)
        outcome = Outcome(job.id, error=error)
    queue.done(job)
    answer(outcome)

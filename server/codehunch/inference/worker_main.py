"""The worker process: reads calls from a pipe, runs the service, writes answers to another."""

from __future__ import annotations

import importlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, cast

from codehunch.inference.frames import pack, read_frame, unpack
from codehunch.inference.jobs import Job, JobQueue, Outcome, run_job


def main() -> None:
    """Serve until the parent closes the pipe, which it also does by dying."""
    # An interrupt from the terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _private_pipes()
    write_lock = threading.Lock()

    def send(*message: object) -> None:
        frame = pack(message)
        try:
            with write_lock:
                answers.write(frame)
                answers.flush()
        except OSError:
            os._exit(0)  # Nobody listens any more.

    handler = _ForwardLogs(send)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    first = read_frame(requests)
    if first is None:
        return
    _, service_name, options, level, ceiling = cast(tuple[str, str, object, int, int | None], first)
    logging.getLogger().setLevel(level)
    if ceiling is not None:
        limit_memory(ceiling)
    try:
        service = _create(service_name, options, lambda name, value: send("event", name, value))
    except Exception as error:
        send("unable", f"{type(error).__name__}: {error}")
        return
    queue = JobQueue()
    threading.Thread(target=_receive, args=(requests, queue), name="codehunch-requests", daemon=True).start()
    send("ready", os.getpid())

    def answer(outcome: Outcome) -> None:
        error = outcome.error
        report = None if error is None else (type(error).__name__, str(error) or type(error).__name__)
        try:
            send("outcome", outcome.id, outcome.value, report, outcome.cancelled, resident_bytes())
        except Exception as unsendable:  # Most likely a value that cannot be pickled.
            report = (type(unsendable).__name__, str(unsendable))
            send("outcome", outcome.id, None, report, False, resident_bytes())

    while True:
        job = queue.take()
        if job is not None:
            run_job(service, job, queue, answer)


def limit_memory(most: int) -> None:
    """Let this process have at most so many bytes beside the files it maps; where the system knows no such limit,
    nothing happens. An allocation past it fails, and with it the call that made it.
    """
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    except (ImportError, AttributeError, OSError, ValueError) as error:
        logging.getLogger(__name__).debug("no ceiling for the memory: %s", error)


def resident_bytes() -> int:
    """Resident memory of this process, 0 where /proc does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent under new descriptors. What prints goes to stderr and no one reads stdin."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        os.dup2(2, 1)
    except OSError:  # The editor started the server without a stderr.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # An end by a signal would lose what waits.
    return requests, answers


def _receive(requests: BinaryIO, queue: JobQueue) -> None:
    while True:
        try:
            message = read_frame(requests)
        except Exception:
            message = None
        if message is None:
            # The parent is gone: leave at once, also from the middle of an inference.
            os._exit(0)
        match cast(tuple[Any, ...], message):
            case ("call", job_id, method, payload, priority):
                queue.put(Job(job_id, method, partial(unpack, payload), priority))
            case ("cancel", job_id):
                queue.cancel(job_id)


def _create(name: str, options: object, emit: Callable[[str, object], None]) -> object:
    module, _, factory = name.partition(":")
    return getattr(importlib.import_module(module), factory)(options, emit)


class _ForwardLogs(logging.Handler):
    """Log records travel to the parent, which knows where a person looks for them."""

    def __init__(self, send: Callable[..., None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send("log", record.levelno, record.name, record.getMessage())
        except Exception:
            self.handleError(record)

"""The worker process: answers, order, cancels, deaths and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.inprocess import InProcess
from codehunch.inference.protocol import BACKGROUND, DOCUMENT, INTERACTIVE, CancelToken, Engine
from codehunch.inference.worker import _LONGEST_DELAY, WorkerClient

HERE = Path(__file__).parent
SERVICE = "worker_service:create"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@pytest_asyncio.fixture(name="client")
async def _client() -> AsyncIterator[WorkerClient]:
    client = WorkerClient(SERVICE, {"answer": 42})
    yield client
    await client.close()


@pytest_asyncio.fixture(name="engine", params=["process", "thread"])
async def _engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "process":
        engine: Engine = WorkerClient(SERVICE, {"answer": 42})
    else:
        from worker_service import create

        engine = InProcess(create({"answer": 42}, lambda name, value: None))
    yield engine
    await engine.close()


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


async def running(engine: Engine, name: str) -> None:
    """A call of ``steps`` at background priority has begun: more urgent calls are served inside it."""
    while f"{name} started" not in cast(list[str], await engine.call("log", None)):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("payload", ["text", ("a", 1, None), {"k": [1.5]}, "x" * 3_000_000])
async def test_answers(engine: Engine, payload: object) -> None:
    assert await engine.call("echo", payload) == payload


async def test_options_reach_the_service(engine: Engine) -> None:
    assert await engine.call("options", None) == {"answer": 42}


@pytest.mark.parametrize(
    ("method", "kind", "message"),
    [
        ("fail", "ValueError", "the reason"),
        ("exhaust", "MemoryError", "cannot allocate"),
        ("absent", "AttributeError", "no method 'absent'"),
        ("_secret", "AttributeError", "no method '_secret'"),
    ],
)
async def test_errors_come_back_and_the_engine_lives_on(engine: Engine, method: str, kind: str, message: str) -> None:
    with pytest.raises(WorkerError, match=message) as caught:
        await engine.call(method, "the reason")
    assert caught.value.kind == kind
    assert await engine.call("echo", 1) == 1


async def test_an_answer_that_cannot_travel_is_an_error(client: WorkerClient) -> None:
    with pytest.raises(WorkerError, match=r"lambda|local object"):
        await client.call("unpicklable", None)
    assert await client.call("echo", 1) == 1


async def test_urgent_calls_go_first_even_inside_a_long_one(engine: Engine) -> None:
    long = asyncio.ensure_future(engine.call("steps", ("scan", 60, 0.02), priority=BACKGROUND))
    await running(engine, "scan")
    queued = [asyncio.ensure_future(engine.call("echo", "background", priority=BACKGROUND))]
    queued.append(asyncio.ensure_future(engine.call("echo", "document", priority=DOCUMENT)))
    assert await engine.call("echo", "interactive", priority=INTERACTIVE) == "interactive"
    assert not long.done()
    await asyncio.gather(long, *queued)
    log = await engine.call("log", None)
    assert isinstance(log, list)
    assert log[0] == "scan started"
    assert set(log[1:3]) == {"echo document", "echo interactive"}
    assert log[3:] == ["scan done", "echo background"]


async def test_a_cancelled_token_ends_the_call_and_the_work(engine: Engine) -> None:
    token = CancelToken()
    long = asyncio.ensure_future(engine.call("steps", ("long", 1000, 0.02), priority=BACKGROUND, cancel=token))
    await running(engine, "long")
    token.cancel()
    with pytest.raises(Cancelled):
        await long
    with pytest.raises(Cancelled):
        await engine.call("echo", "never", cancel=token)
    assert await engine.call("log", None, priority=BACKGROUND) == ["long started", "long stopped"]


async def test_a_cancelled_task_ends_the_work(engine: Engine) -> None:
    long = asyncio.ensure_future(engine.call("steps", ("long", 1000, 0.02), priority=BACKGROUND))
    await running(engine, "long")
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert await engine.call("log", None, priority=BACKGROUND) == ["long started", "long stopped"]


async def test_identical_calls_share_one_answer(engine: Engine) -> None:
    token = CancelToken()
    call = ("steps", ("one", 40, 0.02))
    first = asyncio.ensure_future(engine.call(*call, priority=BACKGROUND, cancel=token))
    await running(engine, "one")
    second = asyncio.ensure_future(engine.call(*call, priority=BACKGROUND))
    await asyncio.sleep(0.05)
    token.cancel()  # The other one still waits: the work goes on.
    with pytest.raises(Cancelled):
        await first
    assert await second == "one done"
    assert await engine.call("log", None) == ["one started", "one done"]


async def test_an_urgent_call_does_not_wait_for_an_identical_one_in_the_background(engine: Engine) -> None:
    scan = asyncio.ensure_future(engine.call("steps", ("scan", 30, 0.02), priority=BACKGROUND))
    await running(engine, "scan")
    queued = asyncio.ensure_future(engine.call("echo", "same", priority=BACKGROUND))
    assert await engine.call("echo", "same", priority=INTERACTIVE) == "same"
    assert not scan.done()
    assert await asyncio.gather(scan, queued) == ["scan done", "same"]


async def test_nothing_is_spawned_before_the_first_call(client: WorkerClient) -> None:
    assert (client.pid, client.starts) == (None, 0)
    await client.call("echo", 1)
    assert client.starts == 1
    assert client.pid == await client.call("pid", None) != os.getpid()


async def test_killed_in_mid_request_fifty_times(client: WorkerClient) -> None:
    """Every caller gets an answer or a clean error, and the next call works."""
    started: list[object] = []
    client._on_event = lambda name, value: started.append(value)
    for round_number in range(50):
        started.clear()
        calls = [asyncio.ensure_future(client.call("steps", (str(index), 100, 0.02))) for index in range(3)]
        await until(lambda: client.pid is not None and client.busy == 3)
        if round_number % 2:  # Once before the work began, once in the middle of it.
            await until(lambda: started)
        os.kill(client.pid or 0, signal.SIGKILL)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [WorkerDied] * 3
        client._deaths = 0  # The back-off has its own test.
    assert await client.call("echo", "alive") == "alive"
    assert client.busy == 0


async def test_a_request_that_kills_the_worker_meets_a_growing_delay(client: WorkerClient) -> None:
    started = []
    for _ in range(5):
        start = time.monotonic()
        with pytest.raises(WorkerDied, match="ended with status -9"):
            await client.call("die", None)
        started.append(time.monotonic() - start)
    assert started[4] > 0.4 + started[0] / 2
    assert await client.call("echo", "alive") == "alive"
    assert client.starts == 6


async def test_cancel_does_not_wait_for_the_delay(client: WorkerClient) -> None:
    client._deaths = 9
    token = CancelToken()
    asyncio.get_running_loop().call_later(0.1, token.cancel)
    start = time.monotonic()
    with pytest.raises(Cancelled):
        await client.call("echo", 1, cancel=token)
    assert time.monotonic() - start < _LONGEST_DELAY / 2


async def test_a_service_that_cannot_start_says_why() -> None:
    client = WorkerClient(SERVICE, "broken")
    with pytest.raises(WorkerDied, match="RuntimeError: no bundle here"):
        await client.call("echo", 1)
    client.options = None
    assert await client.call("echo", 1) == 1
    await client.close()


async def test_stdout_and_stdin_are_kept_from_the_service(
    client: WorkerClient, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await client.call("chatter", None) == ""
    await client.close()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "to nobody's stdout" in captured.err


async def test_idle_workers_are_stopped_and_come_back(caplog: pytest.LogCaptureFixture) -> None:
    client = WorkerClient(SERVICE, idle_seconds=0.1)
    first = await client.call("pid", None)
    await until(lambda: client.pid is None)
    assert await client.call("pid", None) != first
    assert client.starts == 2
    await client.close()
    assert "ended with status" not in caplog.text


async def test_a_worker_above_its_memory_limit_is_replaced() -> None:
    client = WorkerClient(SERVICE, memory_limit=1)
    await client.call("echo", 1)
    if not client.resident:
        pytest.skip("this system does not tell a process its memory")
    await until(lambda: client.pid is None)
    assert await client.call("echo", 2) == 2
    await client.close()


async def test_a_call_that_asks_for_too_much_memory_fails_alone() -> None:
    """A clean error; the process lives on and serves the next."""
    client = WorkerClient(SERVICE, memory_limit=400_000_000)
    process = await client.call("pid", None)
    if not sys.platform.startswith("linux"):
        pytest.skip("this system does not refuse memory")
    assert await client.call("allocate", 100_000_000) == 100_000_000
    with pytest.raises(WorkerError) as caught:
        await client.call("allocate", 3_000_000_000)
    assert caught.value.kind == "MemoryError"
    assert await client.call("pid", None) == process
    await client.close()


async def test_restart_gives_a_new_process_the_new_options(client: WorkerClient) -> None:
    first = await client.call("pid", None)
    client.options = {"answer": 43}
    await client.restart()
    assert await client.call("options", None) == {"answer": 43}
    assert await client.call("pid", None) != first


async def test_close_is_quick_and_final(client: WorkerClient) -> None:
    waiting = asyncio.ensure_future(client.call("steps", ("long", 1000, 0.05)))
    await until(lambda: client.busy)
    start = time.monotonic()
    await client.close()
    # The call would go on for fifty seconds.
    assert time.monotonic() - start < 25
    with pytest.raises(WorkerDied):
        await waiting
    with pytest.raises(WorkerDied):
        await client.call("echo", 1)


async def test_events_and_logs_arrive(caplog: pytest.LogCaptureFixture) -> None:
    events: list[tuple[str, object]] = []
    client = WorkerClient(SERVICE, on_event=lambda name, value: events.append((name, value)))
    with caplog.at_level(logging.INFO):
        await client.call("steps", ("one", 1, 0.0))
    assert events == [("started", "one")]
    await client.close()


async def test_the_working_folder_is_not_imported_from(
    client: WorkerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m`` and an empty entry put it on the path; what lies there is the person's code, not ours."""
    (tmp_path / "onnxruntime.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "pickle.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    assert await client.call("echo", 1) == 1


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_dead_parent_leaves_no_orphan(tmp_path: Path, end: str) -> None:
    """In mid-request and however the parent ends, the worker goes with it."""
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, os, sys
            from codehunch.inference.worker import WorkerClient

            async def main():
                client = WorkerClient("worker_service:create")
                print(await client.call("pid", None), flush=True)
                call = asyncio.ensure_future(client.call("steps", ("long", 1, 60.0)))
                await asyncio.sleep(0.2)
                if sys.argv[1] == "exit":
                    os._exit(3)
                await call

            asyncio.run(main())
            """
        )
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    with subprocess.Popen([sys.executable, str(script), end], stdout=subprocess.PIPE, env=env) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        if end == "kill":
            time.sleep(0.3)
            parent.kill()
        parent.wait(10)
    deadline = time.monotonic() + 20
    while alive(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"

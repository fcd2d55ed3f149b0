"""How the server process starts and ends, and what it leaves alone."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lsp_client import FULL, ProcessClient, alive, command, environment

TEXT = "wrong = 1  # slow 2000\n"
# Seconds: far above what it takes, far below what the busy worker or the editor's process would go on for.
PATIENCE = 20
_INITIALIZE = {"processId": None, "rootUri": None, "capabilities": FULL}


async def started(busy: bool = False, **options: object) -> tuple[ProcessClient, int]:
    """A session with a worker, in the middle of something if ``busy``; and the worker's process id."""
    client = await ProcessClient.spawn(**options)
    await client.initialize(FULL)
    client.open("wrong = 1\n")
    await client.pull()
    told = await client.request("workspace/executeCommand", {"command": "codehunch.debugInformation"})
    worker = told["worker"]["pid"]
    assert alive(worker)
    if busy:
        client.open(TEXT, "file:///busy.py")
        client.begin("textDocument/diagnostic", {"textDocument": {"uri": "file:///busy.py"}})
        await asyncio.sleep(0.2)
    return client, worker


@pytest.mark.parametrize(
    ("end", "code", "busy"),
    [
        ("shutdown", 0, True),
        ("exit", 1, False),
        ("eof", 1, True),
        ("SIGTERM", 143, True),
        ("SIGINT", 130, False),
        ("SIGKILL", -9, True),
    ],
)
async def test_every_end_is_quick_and_leaves_no_orphan(end: str, code: int, busy: bool) -> None:
    client, worker = await started(busy)
    start = time.monotonic()
    assert client.process.stdin is not None
    if end == "shutdown":
        await client.request("shutdown")
        client.notify("exit")
    elif end == "exit":
        client.notify("exit")
    elif end == "eof":
        client.process.stdin.close()
    else:
        os.kill(client.process.pid, getattr(signal, end))
    assert await client.ended() == code
    while alive(worker):
        assert time.monotonic() < start + PATIENCE, "the worker lives on"
        await asyncio.sleep(0.01)
    assert time.monotonic() < start + PATIENCE


async def test_the_end_of_the_editor_is_noticed(tmp_path: Path) -> None:
    """The pipes stay open in another process: only the process id tells that the editor is gone."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as editor:
        client = await ProcessClient.spawn()
        await client.initialize(FULL, processId=editor.pid)
        client.open("wrong = 1\n")
        assert len((await client.pull())["items"]) == 1
        editor.kill()
        editor.wait()
        start = time.monotonic()
        assert await client.ended() == 1
        assert time.monotonic() < start + PATIENCE


def _processor_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def test_initialize_is_answered_without_a_model_and_in_time() -> None:
    """Its processor time, from the start of the process, is of the size of what the libraries below it take."""
    libraries = "from pygls.lsp.server import LanguageServer; LanguageServer('name', '1')"
    before = _processor_seconds(libraries)
    client = await ProcessClient.spawn()
    await client.request("initialize", _INITIALIZE)
    with open(f"/proc/{client.process.pid}/stat", encoding="ascii") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    spent = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    assert spent < 4 * max(before, _processor_seconds(libraries))
    children = Path(f"/proc/{client.process.pid}/task/{client.process.pid}/children").read_text(encoding="ascii")
    assert children == ""
    maps = Path(f"/proc/{client.process.pid}/maps").read_text(encoding="utf-8")
    assert "onnxruntime" not in maps
    assert await client.stop() == 0


async def test_stdout_is_the_protocols_alone() -> None:
    """What prints, in Python or below it, in the server or in its worker, lands on stderr."""
    code = (
        "import os, sys\n"
        "from codehunch.lsp import server\n"
        "from codehunch.lsp.methods import METHODS\n"
        "def noisy(ls, params):\n"
        "    print('from Python'); os.write(1, b'from below\\n'); os.system('echo from a child')\n"
        "METHODS['textDocument/didSave'] = noisy\n"
        "server.serve('stdio', service='rule_service:create')\n"
    )
    client = await ProcessClient.spawn(sys.executable, "-c", code)
    await client.initialize(FULL)
    client.notify("textDocument/didSave", {"textDocument": {"uri": "file:///x.py"}})
    client.open("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1
    assert await client.stop() == 0
    assert client.process.stderr is not None
    told = (await client.process.stderr.read()).decode()
    for words in ("from Python", "from below", "from a child"):
        assert words in told


async def test_no_stderr_is_no_reason_to_fail() -> None:
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command()]
    client = await ProcessClient.spawn(*closed)
    await client.initialize(FULL)
    client.open("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1
    assert await client.stop() == 0


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_socket_server_without_a_client_ends_at_sigterm(transport: str) -> None:
    server, _ = await listening(transport)
    server.terminate()
    assert await asyncio.wait_for(server.wait(), 2) == 143


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_taken_port_is_told(transport: str) -> None:
    first, port = await listening(transport)
    second = await asyncio.create_subprocess_exec(
        *_socket_command(transport, port), stderr=asyncio.subprocess.PIPE, env=environment()
    )
    _, told = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in told.decode()
    assert "Traceback" not in told.decode()
    first.terminate()
    await first.wait()


async def listening(transport: str) -> tuple[asyncio.subprocess.Process, int]:
    server = await asyncio.create_subprocess_exec(
        *_socket_command(transport, 0), stderr=asyncio.subprocess.PIPE, env=environment()
    )
    assert server.stderr is not None
    line = (await asyncio.wait_for(server.stderr.readline(), 60)).decode()
    found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
    assert found, line
    return server, int(found.group(1))


def _socket_command(transport: str, port: int) -> list[str]:
    code = f"from codehunch.lsp.server import serve; serve({transport!r}, port={port}, service='rule_service:create')"
    return [sys.executable, "-c", code]

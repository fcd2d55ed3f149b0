"""Another bundle takes over in a running session, without anybody asking for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import attrs
import pytest
from lsp_client import FULL, InProcessClient

from codehunch.bundles import store
from codehunch.bundles.bundle import write_bundle
from codehunch.lsp.hot_swap import Successor
from codehunch.lsp.server import SERVICE

TEXT = "def f(box):\n    box.open()\n    len(box.names)\n"
URI = "file:///project/module.py"


def waited(condition: object, seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:  # type: ignore[operator]
        time.sleep(0.01)
    assert condition()  # type: ignore[operator]


def test_what_is_loaded_is_taken_once() -> None:
    ready: list[int] = []
    successor = Successor[str](lambda: ready.append(1))
    assert successor.take() is None
    successor.begin(lambda: "new")
    waited(lambda: ready)
    assert successor.take() == ("new",)
    assert successor.take() is None


def test_the_last_choice_counts() -> None:
    ready: list[int] = []
    held = threading.Event()
    successor = Successor[str](lambda: ready.append(1))

    def slow() -> str:
        held.wait(20)
        return "first"

    successor.begin(slow)
    successor.begin(lambda: "second")
    waited(lambda: ready)
    held.set()
    time.sleep(0.05)
    assert ready == [1]
    assert successor.take() == ("second",)


def test_a_failed_load_leaves_it_to_the_next_request(caplog: pytest.LogCaptureFixture) -> None:
    ready: list[int] = []
    successor = Successor[str](lambda: ready.append(1))
    successor.begin(lambda: [][1])  # type: ignore[misc]
    waited(lambda: ready)
    assert successor.take() == (None,)
    assert "could not be loaded" in caplog.text


async def test_an_idle_session_sees_the_new_bundle_and_the_rollback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    shipped = store.default_bundle("defects")
    assert shipped is not None
    spec = shipped.manifest.defects
    assert spec is not None
    for path in shipped.path.iterdir():
        (tmp_path / "silent").mkdir(exist_ok=True)
        (tmp_path / "silent" / path.name).write_bytes(path.read_bytes())
    never = attrs.evolve(spec, thresholds=dict.fromkeys(spec.thresholds, 1.1))
    write_bundle(tmp_path / "silent", attrs.evolve(shipped.manifest, id="silent", defects=never))
    client = InProcessClient(SERVICE, process=True)
    await client.initialize(FULL)
    client.open(TEXT, URI)
    assert (await client.pull(URI))["items"]
    worker = client.server.engine.pid

    def refreshed() -> int:
        return len([r for r in client.server_requests if r["method"] == "workspace/diagnostic/refresh"])

    store.install(tmp_path / "silent")
    await client.until(refreshed, 60)
    assert (await client.pull(URI))["items"] == []
    count = refreshed()
    store.rollback("defects")
    await client.until(lambda: refreshed() > count, 60)
    assert (await client.pull(URI))["items"]
    assert client.server.engine.pid == worker  # The same process all along.
    await client.close()

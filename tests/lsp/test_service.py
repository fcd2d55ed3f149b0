"""What lives in the worker: bundles that are missing, broken, or chosen anew, and what the server makes of that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient, _ThreadEngine

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle
from codehunch.bundles.errors import BundleError
from codehunch.defects import models
from codehunch.defects.findings import Finding
from codehunch.defects.options import CheckOptions
from codehunch.defects.surroundings import Surroundings
from codehunch.lsp.requests import CheckRequest, GenerateRequest, OffersQuery, ServiceOptions
from codehunch.lsp.service import ModelService
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

STUB = 'def f():\n    """One."""\n    '


@pytest.fixture(name="events")
def _events() -> list[tuple[str, object]]:
    return []


@pytest.fixture(name="service")
def _service(events: list[tuple[str, object]]) -> ModelService:
    return ModelService(ServiceOptions(), lambda name, value: events.append((name, value)))


async def session(service: ModelService) -> InProcessClient:
    client = InProcessClient()
    engine = client.server.engine
    assert isinstance(engine, _ThreadEngine)
    engine._service = service
    await client.initialize(FULL)
    return client


async def test_without_a_bundle_the_rest_is_served(
    service: ModelService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(store, "_embedded_folder", lambda task: tmp_path / "none" / task)
    client = await session(service)
    client.open("def f(a):\n    return a\n")
    assert (await client.pull())["items"] == []
    client.replace("def f(a):\n    return 1\n")
    assert (await client.pull())["items"] == []
    client.replace(STUB)
    assert await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 1}) == {"items": []}
    told = client.shown()
    assert len(told) == 2
    for message, task in zip(told, ("defects", "generation"), strict=True):
        assert f"there is no bundle for {task}; install one with `codehunch bundles install`" in message
    params = {"textDocument": {"uri": "file:///project/module.py"}, "context": {"diagnostics": []}}
    place = {"line": 0, "character": 4}
    (offered,) = await client.request("textDocument/codeAction", {**params, "range": {"start": place, "end": place}})
    assert offered["title"] == "Generate body from docstring"
    await client.close()


@pytest.mark.parametrize("damage", ["truncated", "changed", "manifest"])
async def test_a_damaged_bundle_is_named(
    service: ModelService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    import shutil

    shipped = store.default_bundle("defects")
    assert shipped is not None
    folder = tmp_path / "embedded" / "defects"
    shutil.copytree(shipped.path, folder)
    name = "manifest.json" if damage == "manifest" else "model.onnx"
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(b"X" + data[1:] if damage == "changed" else data[: len(data) // 2])
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(store, "_embedded_folder", lambda task: tmp_path / "embedded" / task)
    client = await session(service)
    client.open("def f(a):\n    return a\n")
    assert (await client.pull())["items"] == []
    (message,) = client.shown()
    assert str(folder / name) in message
    assert "\n" not in message
    await client.close()


class _Bundles:
    """Stands for the store: whatever a test says is active."""

    def __init__(self, shipped: Bundle) -> None:
        self.shipped = shipped
        self.problem: BundleError | None = None
        self.warnings: list[str] = []

    def __call__(self, task: str, warnings: list[str]) -> Bundle:
        warnings += self.warnings
        if self.problem is not None:
            raise self.problem
        return self.shipped


@pytest.fixture(name="bundles")
def _bundles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Bundles:
    shipped = store.default_bundle("defects")
    assert shipped is not None
    bundles = _Bundles(shipped)
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(models, "active_bundle", bundles)
    return bundles


def request(text: str = "def f(a):\n    return a\n", language: str = "python") -> CheckRequest:
    return CheckRequest("file:///a.py", text, language)


def never() -> bool:
    return False


def test_a_choice_that_cannot_be_used_is_told(
    service: ModelService, bundles: _Bundles, events: list[tuple[str, object]]
) -> None:
    bundles.warnings = ["the chosen one is broken (using the other)"]
    assert service.check(request(), never).bundle.startswith(bundles.shipped.manifest.id)
    assert events[0] == ("warning", "the chosen one is broken (using the other)")
    assert [name for name, _ in events[1:]] == ["loading", "loaded"]


def test_another_choice_takes_the_place_of_the_models(
    service: ModelService, bundles: _Bundles, events: list[tuple[str, object]], tmp_path: Path
) -> None:
    service.check(request(), never)
    first = service._detectors
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "state.json").write_text("{}")
    assert service.check(request(), never).bundle  # The one in use serves while the other is loaded.
    limit = time.monotonic() + 60
    while ("bundles-changed", None) not in events and time.monotonic() < limit:
        time.sleep(0.02)
    service.check(request(), never)
    assert service._detectors is not first
    bundles.problem = BundleError("here", "is gone", "install it")
    service.check(request(), never)  # Held open: what was loaded serves on.


@pytest.mark.parametrize(("language", "served"), [("python", True), ("c", False), ("markdown", False), ("", False)])
def test_languages(service: ModelService, bundles: _Bundles, language: str, served: bool) -> None:
    assert bool(service.check(request("", language), never).bundle) == served
    assert service.offers(OffersQuery("x", language, 0), never).place is None
    assert service.generate(GenerateRequest("x", language, 0), never).bodies == ()


def test_the_judge_reads_the_statements_around_the_new_text(
    service: ModelService, bundles: _Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Detector:
        def __init__(self, bundle: Bundle, **options: object) -> None:
            pass

        knows_files = True

        def reads_clean(self, source: SourceText, span: Span, surroundings: Surroundings | None) -> bool:
            assert surroundings is not None
            assert set(surroundings.names) == {"x", "f", "g"}
            read.append(source.text)
            return span.of(source.text) != "bad"

        def check(self, *arguments: Any) -> tuple[Finding, ...]:
            raise AssertionError(CheckOptions)

    monkeypatch.setattr("codehunch.defects.detector.Detector", Detector)
    text = "x = 1\n\ndef f():\n    bad\n\ndef g():\n    good\n"
    for word in ("bad", "good"):
        start = text.index(word)
        assert service._reads_clean(SourceText(text), Span(start, start + len(word))) == (word == "good")
    assert read == ["def f():\n    bad", "def g():\n    good"]
    bundles.problem = BundleError("here", "is gone", "install it")
    service._detectors = None
    assert service._reads_clean(SourceText(text), Span(0, 1))

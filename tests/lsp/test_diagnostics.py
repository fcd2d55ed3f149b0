"""Findings on the screen: pulled or pushed, never both, never of a text that is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsp_client import FULL, URI, InProcessClient, ResponseError, Start
from lsprotocol import types

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.lsp.capabilities import Client
from codehunch.lsp.programs import view_of
from codehunch.lsp.rendering import Style, diagnostics_of
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

TEXT = "def f(right):\n    return wrong + wrong_60\n"


async def test_pull(client: InProcessClient) -> None:
    client.open(TEXT)
    report = await client.pull()
    assert report["kind"] == "full"
    sure, unsure = report["items"]
    assert sure["range"] == {"start": {"line": 1, "character": 11}, "end": {"line": 1, "character": 16}}
    assert (sure["code"], sure["source"], sure["severity"], unsure["severity"]) == ("CH101", "codehunch", 2, 3)
    assert sure["codeDescription"]["href"].endswith("CH101.md")
    (evidence,) = sure["relatedInformation"]
    assert evidence["location"] == {
        "uri": URI,
        "range": {"start": {"line": 0, "character": 6}, "end": {"line": 0, "character": 11}},
    }
    assert sure["data"]["kind"] == "variable-misuse"
    assert sure["data"]["fixes"][0]["edits"] == [{"range": sure["range"], "newText": "right"}]
    assert client.published() == []


async def test_unchanged_until_something_else_would_be_drawn(client: InProcessClient) -> None:
    client.open(TEXT)
    first = (await client.pull())["resultId"]
    assert await client.pull(previous=first) == {"kind": "unchanged", "resultId": first}
    client.change([{"range": _range(1, 4, 1, 4), "text": " " * 0 + ""}], version=2)
    assert (await client.pull(previous=first))["kind"] == "unchanged"
    client.change([{"range": _range(0, 0, 0, 0), "text": "\n"}], version=3)
    second = await client.pull(previous=first)
    assert second["kind"] == "full"
    assert second["items"][0]["range"]["start"]["line"] == 2


async def test_push_with_version_and_clearing(pusher: InProcessClient) -> None:
    assert "diagnosticProvider" not in pusher.capabilities["capabilities"]
    pusher.open(TEXT, version=7)
    published = await pusher.published_version(7)
    assert [each["code"] for each in published["diagnostics"]] == ["CH101", "CH101"]
    # A client that names no capability gets only the fields that every client knows.
    assert set(published["diagnostics"][0]) == {"range", "message", "severity", "code", "source"}
    pusher.replace("right = 1\n", version=8)
    assert (await pusher.published_version(8))["diagnostics"] == []
    pusher.replace(TEXT, version=9)
    await pusher.published_version(9)
    pusher.close_document()
    await pusher.until(lambda: pusher.published()[-1] == {"uri": URI, "diagnostics": []})


async def test_an_edit_supersedes_a_pull(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 300\n")
    _, old = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    await client.until(lambda: client.server.engine.busy)
    client.replace("right = 1\n")
    with pytest.raises(ResponseError) as caught:
        await asyncio.wait_for(old, 1)
    assert caught.value.code == -32802
    assert caught.value.data == {"retriggerRequest": True}
    assert (await client.pull())["items"] == []


async def test_nothing_stale_is_pushed(pusher: InProcessClient) -> None:
    """However the answers of the worker and the edits interleave."""
    for version in range(1, 40):
        text = f"wrong = {version}\n" * (version % 3)
        if version == 1:
            pusher.open(text)
        else:
            pusher.replace(text, version=version)
        await asyncio.sleep((version % 7) * 0.02)
    last = await pusher.published_version(39)
    assert last["diagnostics"] == []
    versions = [each["version"] for each in pusher.published()]
    assert versions == sorted(versions)
    for each in pusher.published():
        assert len(each["diagnostics"]) == each["version"] % 3


async def test_closed_in_the_middle(pusher: InProcessClient, client: InProcessClient) -> None:
    pusher.open("wrong = 1  # slow 30\n")
    client.open("wrong = 1  # slow 30\n")
    _, pulled = client.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    await asyncio.sleep(0.1)
    pusher.close_document()
    client.close_document()
    with pytest.raises(ResponseError):
        await pulled
    await asyncio.sleep(0.5)
    assert pusher.published() == [{"uri": URI, "diagnostics": []}]


async def test_one_computation_serves_all_who_ask(client: InProcessClient) -> None:
    client.open("wrong = 1  # slow 20\n")
    reports = await asyncio.gather(*(client.pull() for _ in range(5)))
    assert len({report["resultId"] for report in reports}) == 1
    assert client.server.engine._ids.__next__() == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", ["markdown", "plaintext", "", "Python"])
async def test_other_languages_have_no_findings(client: InProcessClient, language: str) -> None:
    client.open(TEXT, language=language)
    assert (await client.pull())["items"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_columns_count_as_negotiated(start: Start, encoding: str) -> None:
    client = await start({**FULL, "general": {"positionEncodings": ["latin-1", encoding]}})
    assert client.capabilities["capabilities"]["positionEncoding"] == encoding
    client.open("s = '🙂é'; wrong = 1\n")
    (item,) = (await client.pull())["items"]
    assert item["range"]["start"]["character"] == {"utf-8": 14, "utf-16": 11, "utf-32": 10}[encoding]


async def test_a_failing_worker_is_told_once_and_the_rest_is_served(client: InProcessClient) -> None:
    client.open("wrong = 1  # fail\n")
    client.open("wrong = 1\n", "file:///other.py")
    assert (await client.pull())["items"] == []
    client.replace("wrong = 2  # fail\n")
    assert (await client.pull())["items"] == []
    assert len((await client.pull("file:///other.py"))["items"]) == 1
    assert client.shown() == ["CodeHunch: the rules do not like this text"]


async def test_a_worker_that_dies_is_replaced(start: Start) -> None:
    client = await start(process=True)
    client.open("wrong = 1  # die\n")
    assert (await client.pull())["items"] == []
    assert len(client.shown()) == 1
    client.replace("wrong = 1\n")
    assert len((await client.pull())["items"]) == 1
    assert client.server.engine.starts == 3  # The text that killed it was tried twice.


async def test_progress_of_loading(start: Start) -> None:
    client = await start()
    client.open(TEXT)
    await client.pull()
    kinds = await client.until(
        lambda: [each["params"]["value"]["kind"] for each in client.notifications if each["method"] == "$/progress"][1:]
    )
    assert kinds == ["end"]
    silent = await start({**FULL, "window": {}})
    silent.open(TEXT)
    await silent.pull()
    assert [each["method"] for each in silent.server_requests] == ["workspace/configuration"]


def _range(*numbers: int) -> dict[str, Any]:
    (a, b), (c, d) = numbers[:2], numbers[2:]
    return {"start": {"line": a, "character": b}, "end": {"line": c, "character": d}}


@pytest.mark.parametrize(
    ("edits", "tags"),
    [
        ([Edit(Span(3, 7), "")], [types.DiagnosticTag.Unnecessary]),
        ([Edit(Span(3, 6), "is")], None),
        ([Edit(Span(3, 6), ""), Edit(Span(9, 9), ")")], None),
        ([Edit(Span(0, 2), "")], None),
        ([], None),
    ],
)
def test_what_only_has_to_go_is_tagged_as_unnecessary(
    edits: list[Edit], tags: list[types.DiagnosticTag] | None
) -> None:
    fixes = (Fix("Remove `not`", tuple(edits), 0.9),) if edits else ()
    finding = Finding("CH105", "wrong-negation", "inverted", Span(3, 6), "", 0.9, fixes)
    view = view_of(Snapshot(URI, 1, "python", SourceText("if not a: pass")))
    for knows in (True, False):
        (shown,) = diagnostics_of(view, [finding], Client(unnecessary_tag=knows), Style())
        assert shown.tags == (tags if knows else None)

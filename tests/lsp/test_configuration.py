"""Settings: files, the editor's word on top, wrong values told once."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient, Start

from codehunch.lsp.configuration import Configuration, EditorSettings, editor_settings_table
from codehunch.settings import Settings

TEXT = "wrong = 1\n"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, []),
        ({}, []),
        ({"sensitivity": "high"}, []),
        ({"sensitivity": "loud"}, ["sensitivity"]),
        ({"sensitivty": "high"}, ["sensitivty"]),
        ({"idleUnload": 5, "generationSeconds": 2.5}, []),
        ({"idle-unload": "long"}, ["idle-unload"]),
        ({"diagnostics": "yes"}, ["diagnostics"]),
        ({"ignore": ["CH101"], "select": "CH102"}, []),
        ({"threads": None}, []),
        (7, ["table"]),
        ([], ["table"]),
    ],
)
def test_wrong_values_are_told_once_and_name_the_key(table: Any, told: list[str]) -> None:
    messages: list[str] = []
    configuration = Configuration(messages.append)
    configuration.update(table)
    configuration.update({"diagnostics": False})
    configuration.update(table)
    assert len(messages) == len(told)
    for message, word in zip(messages, told, strict=True):
        assert word in message
        assert "editor settings" in message


def test_the_table_in_the_docs_is_the_codes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "editors.md").read_text(encoding="utf-8")
    assert f"\n\n{editor_settings_table()}\n<!-- end" in page


async def test_the_editor_outranks_a_file_only_where_it_speaks(tmp_path: Path) -> None:
    (tmp_path / ".codehunch.toml").write_text('sensitivity = "high"\nignore = ["CH105"]\n')
    configuration = Configuration(pytest.fail)
    read = (await configuration.for_path(tmp_path / "a.py")).sensitivity
    configuration.update({"ignore": ["CH101"]})
    settings = await configuration.for_path(tmp_path / "a.py")
    assert (read, settings.sensitivity, settings.ignore) == ("high", "high", ("CH101",))
    configuration.update({"sensitivity": "medium"})  # The default, but said.
    assert (await configuration.for_path(tmp_path / "a.py")).sensitivity == "medium"


def test_whether_anything_changed() -> None:
    configuration = Configuration(pytest.fail)
    assert not configuration.update({})
    assert configuration.update({"generation": False})
    assert not configuration.update({"generation": False})
    assert configuration.update(None)
    assert configuration.editor == EditorSettings()


async def test_initialization_options(start: Start) -> None:
    client = await start(initializationOptions={"ignore": ["CH101"]})
    client.open(TEXT)
    assert (await client.pull())["items"] == []


async def test_the_section_the_client_is_asked_for(start: Start) -> None:
    client = InProcessClient()
    section: dict[str, Any] = {"ignore": ["CH101"]}
    client.replies["workspace/configuration"] = lambda params: [section for _ in params["items"]]
    await client.initialize(FULL)
    client.open(TEXT)
    assert (await client.pull())["items"] == []
    section = {}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    refresh = "workspace/diagnostic/refresh"
    await client.until(lambda: [each for each in client.server_requests if each["method"] == refresh][1:])
    assert len((await client.pull())["items"]) == 1
    await client.close()


async def test_settings_sent_along_to_a_server_that_cannot_ask(pusher: InProcessClient) -> None:
    pusher.open(TEXT)
    assert len((await pusher.published_version(1))["diagnostics"]) == 1
    pusher.notify("workspace/didChangeConfiguration", {"settings": {"codehunch": {"diagnostics": False}}})
    await pusher.until(lambda: pusher.published()[-1]["diagnostics"] == [])
    pusher.notify("workspace/didChangeConfiguration", {"settings": {"codehunch": {"diagnostics": "x"}}})
    await pusher.until(pusher.shown)
    assert "`diagnostics`" in pusher.shown()[0]


async def test_settings_files_are_followed(start: Start, tmp_path: Path) -> None:
    client = await start()
    uri = (tmp_path / "pkg" / "a.py").as_uri()
    client.open(TEXT, uri)
    assert len((await client.pull(uri))["items"]) == 1
    settings = tmp_path / ".codehunch.toml"
    for content, count in (('ignore = ["CH101"]\n', 0), ("", 1), ('exclude = ["pkg/"]\n', 0), ("", 1)):
        settings.write_text(content)
        event = {"uri": settings.as_uri(), "type": 2}
        client.notify("workspace/didChangeWatchedFiles", {"changes": [event]})
        assert len((await client.pull(uri))["items"]) == count, content
    settings.write_text('"per-file-ignores" = {"pkg/*" = ["CH101"]}\n')
    client.notify("textDocument/didSave", {"textDocument": {"uri": settings.as_uri()}})
    assert (await client.pull(uri))["items"] == []


async def test_untitled_documents_follow_the_first_folder(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".codehunch.toml").write_text('ignore = ["CH101"]\n')
    client = await start()
    client.open(TEXT, "untitled:Untitled-1")
    assert (await client.pull("untitled:Untitled-1"))["items"] == []


async def test_several_folders_each_with_its_settings(start: Start, tmp_path: Path) -> None:
    for name, content in (("one", 'ignore = ["CH101"]\n'), ("two", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".codehunch.toml").write_text(content)
    folders = [{"uri": (tmp_path / name).as_uri(), "name": name} for name in ("one", "two")]
    client = await start(workspaceFolders=folders)
    found = []
    for name in ("one", "two"):
        uri = (tmp_path / name / "a.py").as_uri()
        client.open(TEXT, uri)
        found.append(len((await client.pull(uri))["items"]))
    assert found == [0, 1]
    event = {"added": [], "removed": folders[:1]}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    client.open(TEXT, "untitled:1")
    assert len((await client.pull("untitled:1"))["items"]) == 1


async def test_trace_sets_the_level_of_the_log(start: Start) -> None:
    level = logging.getLogger("codehunch").level
    try:
        client = await start(trace="verbose")
        for uri, value in (("untitled:1", "off"), ("untitled:2", "verbose"), ("untitled:3", "messages")):
            client.notify("textDocument/nothing", {})
            client.notify("$/setTrace", {"value": value})
            client.open("", uri)
            await client.pull(uri)
        logged = [each["params"] for each in client.notifications if each["method"] == "window/logMessage"]
        assert [each["message"] for each in logged] == ["ignored textDocument/nothing"] * 2
        assert {each["type"] for each in logged} == {4}
    finally:
        logging.getLogger("codehunch").setLevel(level)


async def test_generation_can_be_switched_off(start: Start) -> None:
    client = await start(initializationOptions={"generation": False})
    client.open('def f():\n    """One."""\n    ')
    answer = await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 1})
    assert answer == {"items": []}


async def test_registers_what_can_only_be_registered(start: Start) -> None:
    dynamic = {"dynamicRegistration": True}
    workspace = {**FULL["workspace"], "didChangeWatchedFiles": dynamic, "didChangeConfiguration": dynamic}
    client = await start({**FULL, "workspace": workspace})
    (request,) = await client.until(
        lambda: [each for each in client.server_requests if each["method"] == "client/registerCapability"]
    )
    methods = {each["method"] for each in request["params"]["registrations"]}
    assert methods == {"workspace/didChangeWatchedFiles", "workspace/didChangeConfiguration"}


async def test_a_slow_disk_holds_nothing_else_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are looked for by a thread: a request that needs none is answered meanwhile."""
    client = await start()
    looked = client.server.configuration.reader.for_file

    answers = threading.Event()

    def slowly(path: Path) -> Settings:
        assert answers.wait(60)
        return looked(path)

    monkeypatch.setattr(client.server.configuration.reader, "for_file", slowly)
    client.open(TEXT)
    pull = asyncio.ensure_future(client.pull())
    await asyncio.sleep(0.1)
    assert await client.at("textDocument/hover", 0, 0) is None
    assert not pull.done()
    answers.set()
    assert len((await pull)["items"]) == 1


@pytest.mark.parametrize("table", [{"inference": {"endpoint": "http://h:1"}}, {"inference.endpoint": "http://h:1/"}])
def test_the_editor_may_name_a_model_server(table: dict[str, Any], tmp_path: Path) -> None:
    """What the person set in the editor is the person's word, unlike a file of the project."""
    told: list[str] = []
    configuration = Configuration(told.append)
    assert configuration.update(table)
    assert configuration.reader.for_folder(tmp_path).inference_endpoint == "http://h:1"
    assert told == []

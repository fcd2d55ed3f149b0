"""What a person thinks of findings and bodies: dismissed at once, kept on this machine, taken back on request."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, URI, InProcessClient, ResponseError, Start
from test_features import actions, applied, here, without

from codehunch.feedback import Event, feedback_file, read_events

TEXT = "def f(right):\n    return wrong\n\n\ndef g(right):\n    return wrong_60\n"
STUB = 'def double(x):\n    """Twice x."""\n    \n\nprint(double(2))\n'


@pytest.fixture(name="uri")
def _uri(tmp_path: Path) -> str:
    path = tmp_path / "module.py"
    path.write_text(TEXT)
    return path.as_uri()


async def kept(client: InProcessClient, count: int) -> list[Event]:
    """The events, once there are that many."""
    await client.until(lambda: len(list(read_events())) >= count)
    await asyncio.sleep(0.05)
    found = list(read_events())
    assert len(found) == count
    return found


async def dismissing(client: InProcessClient, place: dict[str, Any], uri: str) -> dict[str, Any]:
    params = {"textDocument": {"uri": uri}, "range": place, "context": {"diagnostics": [], "only": ["quickfix"]}}
    offered = await client.request("textDocument/codeAction", params)
    (action,) = [each for each in offered if "not a defect" in each["title"]]
    return dict(action["command"])


async def run(client: InProcessClient, command: dict[str, Any]) -> Any:
    params = {"command": command["command"], "arguments": command["arguments"]}
    return await client.request("workspace/executeCommand", params)


async def test_a_dismissed_finding_is_gone_at_once_and_stays_gone(client: InProcessClient, uri: str) -> None:
    client.open(TEXT, uri)
    assert len((await client.pull(uri))["items"]) == 2
    command = await dismissing(client, here(1, 12), uri)
    assert await run(client, command) is True
    await client.until(lambda: [r for r in client.server_requests if r["method"] == "workspace/diagnostic/refresh"])
    assert len((await client.pull(uri))["items"]) == 1
    (event,) = await kept(client, 1)
    assert (event.event, event.code, event.token, event.function) == ("dismissed", "CH101", "wrong", "f")
    assert event.before == "def f(right):\n    return wrong"
    assert event.before[event.start : event.end] == "wrong"
    assert event.bundle == "rules 1"
    # Edits elsewhere do not bring it back, another session knows it too.
    client.change([{"range": here(0), "text": "import os\n\n\n"}], uri)
    assert len((await client.pull(uri))["items"]) == 1
    # It is known by its fingerprint: what is dismissed once cannot be dismissed again.
    with pytest.raises(ResponseError) as caught:
        await run(client, command)
    assert caught.value.code == -32801
    restore = {"command": "codehunch.restoreDismissed", "arguments": [{"uri": uri}]}
    assert await run(client, restore) == 1
    assert len((await client.pull(uri))["items"]) == 2
    assert list(read_events()) == []


async def test_pushed_findings_are_withdrawn_too(start: Start, uri: str) -> None:
    client = await start(without("textDocument.diagnostic"))
    client.open(TEXT, uri)
    assert len((await client.published_version(1, uri))["diagnostics"]) == 2
    await run(client, await dismissing(client, here(1, 12), uri))
    await client.until(lambda: len(client.published(uri)[-1]["diagnostics"]) == 1)


async def test_a_defect_indeed_is_kept_and_not_asked_about_again(client: InProcessClient) -> None:
    client.open(TEXT)
    await client.pull()
    (action,) = [each for each in await actions(client, here(1, 12)) if "a true defect" in each["title"]]
    assert await run(client, action["command"]) is True
    (event,) = await kept(client, 1)
    assert (event.event, event.token, event.function) == ("confirmed", "wrong", "f")
    assert event.before[event.start : event.end] == "wrong"
    assert len((await client.pull())["items"]) == 2
    assert not [each for each in await actions(client, here(1, 12)) if "a true defect" in each["title"]]
    assert [each for each in await actions(client, here(5, 12)) if "a true defect" in each["title"]]


async def test_who_records_nothing_is_not_asked(start: Start) -> None:
    client = await start(initializationOptions={"recordFeedback": False})
    client.open(TEXT)
    await client.pull()
    titles = [each["title"] for each in await actions(client, here(1, 12))]
    assert any("not a defect" in title for title in titles)
    assert not any("a true defect" in title for title in titles)


@pytest.mark.parametrize("command", ["codehunch.dismissFinding", "codehunch.confirmFinding"])
@pytest.mark.parametrize("arguments", [[], [{}], [{"uri": 7}], ["x"], [{"uri": "file:///no", "fingerprint": "x"}]])
async def test_an_opinion_of_nothing(client: InProcessClient, arguments: list[Any], command: str) -> None:
    with pytest.raises(ResponseError) as caught:
        await run(client, {"command": command, "arguments": arguments})
    assert caught.value.code in (-32602, -32803)


async def test_a_disk_that_refuses_is_told(client: InProcessClient, uri: str) -> None:
    client.open(TEXT, uri)
    await client.pull(uri)
    feedback_file().mkdir(parents=True)
    with pytest.raises(ResponseError, match="could not be written"):
        await run(client, await dismissing(client, here(1, 12), uri))
    assert len((await client.pull(uri))["items"]) == 2


async def test_the_baseline_of_the_settings_filters_the_editor_too(client: InProcessClient, tmp_path: Path) -> None:
    from codehunch.baseline import Baseline, Known, write_baseline

    path, uri = tmp_path / "module.py", (tmp_path / "module.py").as_uri()
    path.write_text(TEXT)
    (tmp_path / ".codehunch.toml").write_text('baseline = "known.json"\n')
    write_baseline(tmp_path / "known.json", {str(path): (Known("wrong 0", "CH101", "f", 1, "wrong"),)}, Baseline())
    client.open(TEXT, uri)
    assert [item["range"]["start"]["line"] for item in (await client.pull(uri))["items"]] == [5]
    (tmp_path / "known.json").write_text("no baseline")
    client.replace("\n" + TEXT, uri)
    assert len((await client.pull(uri))["items"]) == 2


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
async def test_only_what_was_changed(start: Start, tmp_path: Path) -> None:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    (tmp_path / "module.py").write_text(TEXT)
    uri = (tmp_path / "module.py").as_uri()
    for command in ("init", "add .", "commit -m x"):
        subprocess.run(
            ["git", *command.split()], cwd=tmp_path, check=True, capture_output=True, env={**os.environ, **names}
        )
    client = await start(initializationOptions={"changedSince": "HEAD"})
    client.open(TEXT, uri)
    assert (await client.pull(uri))["items"] == []
    client.change([{"range": here(5, 4), "text": "right = 1;"}], uri)
    assert [item["range"]["start"]["line"] for item in (await client.pull(uri))["items"]] == [5]
    # What lies in no repository is shown.
    client.open("wrong = 1\n", "untitled:1")
    assert len((await client.pull("untitled:1"))["items"]) == 1


@pytest.mark.parametrize("taken", [True, False])
async def test_a_fix_counts_as_accepted_when_the_text_becomes_it(
    client: InProcessClient, uri: str, taken: bool
) -> None:
    client.open(TEXT, uri)
    await client.pull(uri)
    params = {"textDocument": {"uri": uri}, "range": here(1, 12), "context": {"diagnostics": []}}
    await client.request("textDocument/codeAction", params)
    place = {"start": {"line": 1, "character": 11}, "end": {"line": 1, "character": 16}}
    client.change([{"range": place, "text": "right" if taken else "other"}], uri)
    if not taken:
        await client.pull(uri)
        assert list(read_events()) == []
        return
    (event,) = await kept(client, 1)
    assert (event.event, event.token) == ("fix-accepted", "wrong")
    assert (event.before, event.after) == ("def f(right):\n    return wrong", "def f(right):\n    return right")


@pytest.mark.parametrize(
    ("typed", "events"),
    [
        (["other"], ["fix-rejected"]),
        (["o", "ther"], ["fix-rejected"]),
        (["r", "ight"], ["fix-accepted"]),
        (["", "wrong"], []),
        (["(("], []),
    ],
    ids=["another name", "letter by letter", "the fix by hand", "undone", "not finished"],
)
async def test_a_fix_counts_as_rejected_when_something_else_is_saved(
    client: InProcessClient, typed: list[str], events: list[str]
) -> None:
    client.open(TEXT)
    await client.pull()
    await actions(client, here(1, 12))
    client.change([{"range": {**here(1, 11), "end": {"line": 1, "character": 16}}, "text": typed[0]}])
    for at, text in enumerate(typed[1:]):
        client.change([{"range": here(1, 11 + sum(map(len, typed[: at + 1]))), "text": text}], version=3 + at)
    assert list(read_events()) == []
    client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    await client.pull()
    found = await kept(client, len(events))
    assert [event.event for event in found] == events
    for event in found:
        assert event.before == "def f(right):\n    return wrong"
        assert event.before[event.start : event.end] == "wrong"
        assert event.after == f"def f(right):\n    return {''.join(typed)}"


async def test_an_edit_elsewhere_rejects_nothing(client: InProcessClient) -> None:
    client.open(TEXT)
    await client.pull()
    await actions(client, here(1, 12))
    client.change([{"range": here(4, 0), "text": "# "}])
    client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    await client.pull()
    assert await kept(client, 0) == []


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize(
    ("typed", "events"),
    [
        (["value = 0\n    return value"], ["completion-accepted"]),
        (["v", "alue", " = 0\n    return value"], ["completion-accepted"]),
        (["v", "alue"], []),
        (["return 2 * x"], ["completion-rejected"]),
        (["v", "x", "y"], ["completion-rejected"]),
    ],
)
async def test_bodies_are_judged_by_what_is_typed(
    start: Start, typed: list[str], events: list[str], record: bool
) -> None:
    client = await start(initializationOptions={"recordFeedback": record})
    client.open(STUB)
    await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 1})
    column, line = 4, 2
    for version, text in enumerate(typed, start=2):
        client.change([{"range": here(line, column), "text": text}], version=version)
        column += len(text)
    await client.pull()
    found = await kept(client, len(events) if record else 0)
    assert [event.event for event in found] == (events if record else [])
    for event in found:
        assert event.before == 'def double(x):\n    """Twice x."""\n    '
        assert event.after == "    value = 0\n    return value"
        assert (event.function, event.confidence) == ("double", 0.9)


async def test_an_accepted_body_can_be_regenerated(client: InProcessClient) -> None:
    client.open(STUB)
    assert [each["title"] for each in await actions(client, here(1, 8), only=["refactor"])] == [
        "Generate body from docstring"
    ]
    answer = await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 2})
    (first,) = answer["items"]
    client.change([{"range": first["range"], "text": first["insertText"]}])
    text = STUB.replace('"""\n    \n', f'"""\n    {first["insertText"]}\n')
    seen = [first["insertText"]]
    for version in (3, 4):
        (action,) = await actions(client, here(1, 8), only=["refactor"])
        assert (action["title"], action["tags"]) == ("Regenerate body", [1])
        resolved = await client.request("codeAction/resolve", action)
        after = applied(text, resolved["edit"])
        body = after[len('def double(x):\n    """Twice x."""\n') :].partition("\n\nprint")[0].strip()
        assert body not in seen
        seen.append(body)
        text = after
        client.replace(text, version=version)
    kinds = [event.event for event in await kept(client, 3)]
    assert kinds == ["completion-accepted", "completion-regenerated", "completion-regenerated"]
    # What the person has edited is theirs.
    client.replace(text.replace("return value", "return 7"), version=9)
    assert await actions(client, here(1, 8), only=["refactor"]) == []


@pytest.mark.parametrize("choice", [0, 2, None])
async def test_a_picker_that_every_editor_has(client: InProcessClient, choice: int | None) -> None:
    def choose(params: dict[str, Any]) -> Any:
        assert len(params["actions"]) == 5
        return None if choice is None else params["actions"][choice]

    client.replies["window/showMessageRequest"] = choose
    client.open(STUB)
    where = {"uri": "file:///project/module.py", "line": 2, "character": 4}
    wrote = await run(client, {"command": "codehunch.pickBody", "arguments": [where]})
    edits = [each for each in client.server_requests if each["method"] == "workspace/applyEdit"]
    assert wrote is (choice is not None)
    assert len(edits) == (choice is not None)
    if choice is not None:
        assert f"value = {choice}\n" in applied(STUB, edits[0]["params"]["edit"])


async def test_severities_by_wish(start: Start) -> None:
    for wish, expected in (({}, 2), ({"variable-misuse": "error"}, 1), ({"ALL": "hint", "CH101": "information"}, 3)):
        client = await start(FULL, initializationOptions={"severity": wish})
        client.open("wrong = 1\n")
        (item,) = (await client.pull())["items"]
        assert item["severity"] == expected


async def test_ghost_text_only_by_key(start: Start) -> None:
    client = await start(initializationOptions={"generationTrigger": "invoked"})
    client.open(STUB)
    assert await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 2}) is None
    assert (await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 1}))["items"]

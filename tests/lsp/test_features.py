"""Hover, fixes, bodies and commands, each within what the client can do."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import text_reference
from lsp_client import FULL, URI, InProcessClient, ResponseError, Start

from codehunch.lsp.offering import Sections, place_at, silences_of
from codehunch.lsp.requests import Flagged
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.parsing import parse

TEXT = "def f(right):\n    return wrong\n"
STUB = 'def double(x):\n    """Twice x."""\n    \n\nprint(double(2))\n'
BODY = "value = 0\n    return value"


def without(path: str) -> dict[str, Any]:
    """Full capabilities but for one."""
    capabilities: dict[str, Any] = json.loads(json.dumps(FULL))
    *parents, name = path.split(".")
    table = capabilities
    for parent in parents:
        table = table[parent]
    del table[name]
    return capabilities


def here(line: int, character: int = 0) -> dict[str, Any]:
    return {"start": {"line": line, "character": character}, "end": {"line": line, "character": character}}


async def actions(client: InProcessClient, place: dict[str, Any], **context: Any) -> list[dict[str, Any]]:
    params = {"textDocument": {"uri": URI}, "range": place, "context": {"diagnostics": [], **context}}
    return list(await client.request("textDocument/codeAction", params) or [])


def applied(text: str, edit: dict[str, Any]) -> str:
    (document,) = edit["documentChanges"] if "documentChanges" in edit else ({"edits": edit["changes"][URI]},)
    # All edits speak of the same text: applied from the last to the first, none moves another.
    edits = sorted(document["edits"], key=lambda each: tuple(each["range"]["start"].values()), reverse=True)
    changes = [{"range": each["range"], "text": each["newText"]} for each in edits]
    return text_reference.apply(text, changes, "utf-16")


@pytest.mark.parametrize(
    ("character", "found"), [(3, False), (10, False), (11, True), (14, True), (16, True), (500, True)]
)
async def test_hover_explains_the_finding_under_the_pointer(
    client: InProcessClient, character: int, found: bool
) -> None:
    """Right behind the name counts: an editor's cursor is there when the name has been typed."""
    client.open(TEXT)
    await client.pull()
    answer = await client.at("textDocument/hover", 1, character)
    assert (answer is not None) == found
    if answer is not None:
        value = answer["contents"]["value"]
        for words in ("CH101 variable-misuse", "almost certain (95%)", "`right` 90%", "# codehunch: ignore[CH101]"):
            assert words in value


async def test_hover_in_plain_text(start: Start) -> None:
    client = await start(without("textDocument.hover"))
    client.open(TEXT)
    await client.pull()
    answer = await client.at("textDocument/hover", 1, 12)
    assert answer["contents"]["kind"] == "plaintext"
    assert "\n- right 90%" in answer["contents"]["value"]


async def test_hover_computes_nothing(client: InProcessClient) -> None:
    client.open(TEXT)
    assert await client.at("textDocument/hover", 1, 12) is None


async def test_fixes_best_first_and_preferred_when_clear(client: InProcessClient) -> None:
    client.open(TEXT, version=3)
    await client.pull()
    best, other, *_ = await actions(client, here(1, 12), only=["quickfix"])
    assert (best["title"], best["kind"], best["isPreferred"]) == ("Replace by `right`", "quickfix", True)
    assert "isPreferred" not in other
    assert best["diagnostics"][0]["code"] == "CH101"
    assert best["edit"]["documentChanges"][0]["textDocument"] == {"uri": URI, "version": 3}
    assert applied(TEXT, best["edit"]) == "def f(right):\n    return right\n"
    assert applied(TEXT, other["edit"]) == "def f(right):\n    return left\n"


async def test_fixes_for_a_client_of_few_means(start: Start) -> None:
    literals = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    client = await start({"textDocument": {"codeAction": literals}})
    client.open(TEXT)
    await client.published_version(1)
    best, *_ = await actions(client, here(1, 12), only=["quickfix"])
    assert "isPreferred" not in best
    assert list(best["edit"]) == ["changes"]
    assert applied(TEXT, best["edit"]) == "def f(right):\n    return right\n"


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        (None, {"quickfix", "refactor.rewrite"}),
        (["quickfix"], {"quickfix"}),
        (["refactor"], {"refactor.rewrite"}),
        (["refactor.rewrite"], {"refactor.rewrite"}),
        (["refactor.rewrite.x", "source"], set()),
        ([""], {"quickfix", "refactor.rewrite"}),
        ([], set()),
    ],
)
async def test_only_what_was_asked_for(client: InProcessClient, only: list[str] | None, kinds: set[str]) -> None:
    client.open('def f(x):\n    """Use wrong."""\n')
    await client.pull()
    context = {} if only is None else {"only": only}
    assert {each["kind"] for each in await actions(client, here(1, 13), **context)} == kinds


async def test_fixes_of_an_older_version_are_not_offered(client: InProcessClient) -> None:
    client.open(TEXT)
    await client.pull()
    client.replace("\n" + TEXT)
    assert await actions(client, here(1, 12), only=["quickfix"]) == []


@pytest.mark.parametrize(
    ("text", "on_line", "in_file"),
    [
        ("x = wrong\n", "x = wrong  # codehunch: ignore[CH101]\n", "# codehunch: ignore-file[CH101]\nx = wrong\n"),
        (
            "#!/bin/python\n# coding: utf-8\nx = wrong  # why\n",
            "#!/bin/python\n# coding: utf-8\nx = wrong  # why  # codehunch: ignore[CH101]\n",
            "#!/bin/python\n# coding: utf-8\n# codehunch: ignore-file[CH101]\nx = wrong  # why\n",
        ),
        (
            "x = wrong  # codehunch: ignore[CH102]\n",
            "x = wrong  # codehunch: ignore[CH102, CH101]\n",
            "# codehunch: ignore-file[CH101]\nx = wrong  # codehunch: ignore[CH102]\n",
        ),
        # Neither behind a backslash nor inside a string: behind the statement.
        (
            'x = wrong + \\\n    """a\n    b"""',
            'x = wrong + \\\n    """a\n    b"""  # codehunch: ignore[CH101]',
            '# codehunch: ignore-file[CH101]\nx = wrong + \\\n    """a\n    b"""',
        ),
    ],
)
async def test_silencing(client: InProcessClient, text: str, on_line: str, in_file: str) -> None:
    client.open(text)
    (item,) = (await client.pull())["items"]
    offered = {each["title"]: each for each in await actions(client, item["range"], only=["quickfix"])}
    assert applied(text, offered["Ignore CH101 on this line"]["edit"]) == on_line
    assert applied(text, offered["Ignore CH101 in this file"]["edit"]) == in_file


async def test_fix_all_of_a_kind(client: InProcessClient) -> None:
    text = "wrong = wrong_40 + wrong\n"
    client.open(text)
    await client.pull()
    (action,) = [
        each for each in await actions(client, here(0, 2), only=["quickfix"]) if each["title"].startswith("Fix all")
    ]
    assert action["title"] == "Fix all 3 CH101 in this file"
    assert applied(text, action["edit"]) == "right = right + right\n"


async def test_generate_body_is_resolved_lazily(client: InProcessClient) -> None:
    client.open(STUB)
    (action,) = await actions(client, here(1, 8), only=["refactor"])
    assert (action["title"], action["tags"]) == ("Generate body from docstring", [1])
    assert "edit" not in action
    resolved = await client.request("codeAction/resolve", action)
    assert applied(STUB, resolved["edit"]).startswith(f'def double(x):\n    """Twice x."""\n    {BODY}\n')
    client.replace("\n" + STUB)
    with pytest.raises(ResponseError) as caught:
        await client.request("codeAction/resolve", action)
    assert caught.value.code == -32801


async def test_generate_body_by_command_where_edits_cannot_be_resolved(start: Start) -> None:
    client = await start(without("textDocument.codeAction.resolveSupport"))
    client.open(STUB)
    (action,) = await actions(client, here(1, 8), only=["refactor"])
    command = action["command"]
    assert await client.request(
        "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
    )
    (request,) = [each for each in client.server_requests if each["method"] == "workspace/applyEdit"]
    assert BODY in applied(STUB, request["params"]["edit"])


async def test_another_body_by_command_where_edits_cannot_be_resolved(start: Start) -> None:
    client = await start(without("textDocument.codeAction.resolveSupport"))
    client.open(STUB)
    where = {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 4}, "context": {"triggerKind": 2}}
    (first,) = (await client.request("textDocument/inlineCompletion", where))["items"]
    client.change([{"range": first["range"], "text": first["insertText"]}])
    (action,) = await actions(client, here(1, 8), only=["refactor"])
    assert action["title"] == "Regenerate body"
    params = {"command": action["command"]["command"], "arguments": action["command"]["arguments"]}
    assert await client.request("workspace/executeCommand", params)
    (request,) = [each for each in client.server_requests if each["method"] == "workspace/applyEdit"]
    text = STUB.replace('"""\n    \n', f'"""\n    {first["insertText"]}\n')
    assert first["insertText"] not in applied(text, request["params"]["edit"])
    nowhere = [{**params["arguments"][0], "line": 6}]
    with pytest.raises(ResponseError, match="no other body"):
        await client.request("workspace/executeCommand", {**params, "arguments": nowhere})


LARGE = "import os\n\n\n" + "".join(f"def f{index}(a):\n    return a + {index}\n\n\n" for index in range(3000))


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), (LARGE, ""), ("", LARGE), (LARGE, "x = (\n" + LARGE), ("'" + LARGE, LARGE)],
)
def test_what_is_offered_depends_on_the_section_only(before: str, after: str) -> None:
    stub = 'class C:\n    def double(x):\n        """Twice x."""\n        \n\n'
    text = before + stub + "def g(b):\n    return wrong\n\n\n" + after
    offset = len(before) + stub.index('"""') + 4
    place = place_at(text, "python", offset, Sections())
    assert place is not None
    assert (place.name, place.described_by) == ("C.double", "docstring")
    assert place.start == len(before) + stub.index("def double")
    row = text[: text.index("return wrong")].count("\n")
    (silence,) = silences_of(text, "python", [Flagged("CH101", "variable-misuse", row)], Sections())
    for edit in (silence.line, silence.file):
        assert edit is not None
        silenced = text[: edit.span.start] + edit.content + text[edit.span.end :]
        above = edit.content.count("\n")
        assert find_suppressions(parse(silenced)).silences("CH101", "variable-misuse", row + above)
    assert place_at(text, "python", len(before) + text[len(before) :].index("return wrong"), Sections()) is None


@pytest.mark.parametrize(("line", "text"), [(0, TEXT), (0, "x = 1\n"), (4, STUB), (0, "")])
async def test_nothing_is_offered_where_nothing_is_described(client: InProcessClient, line: int, text: str) -> None:
    client.open(text)
    assert await actions(client, here(line), only=["refactor"]) == []
    ghost = await client.at("textDocument/inlineCompletion", line, 0, context={"triggerKind": 1})
    assert ghost == {"items": []}


@pytest.mark.parametrize(("trigger", "count"), [(1, 3), (2, 1)])
async def test_ghost_text(client: InProcessClient, trigger: int, count: int) -> None:
    client.open(STUB)
    answer = await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": trigger})
    assert len(answer["items"]) == count
    assert answer["items"][0] == {"insertText": BODY, "range": here(2, 4)}


async def test_ghost_text_below_the_docstring(client: InProcessClient) -> None:
    text = 'def double(x):\n    """Twice x."""'
    client.open(text)
    answer = await client.at("textDocument/inlineCompletion", 1, 18, context={"triggerKind": 1})
    (first, *_) = answer["items"]
    change = [{"range": first["range"], "text": first["insertText"]}]
    assert text_reference.apply(text, change, "utf-16") == text + f"\n    {BODY}"


async def test_ghost_text_survives_being_typed(client: InProcessClient) -> None:
    """The rest of a suggestion is shown at once, also while the worker is busy with something else."""
    client.open(STUB)
    await client.at("textDocument/inlineCompletion", 2, 4, context={"triggerKind": 2})
    for index, char in enumerate("value = 0"):
        client.change([{"range": here(2, 4 + index), "text": char}], version=2 + index)
        answer = await client.at("textDocument/inlineCompletion", 2, 5 + index, context={"triggerKind": 2})
        assert answer["items"] == [{"insertText": BODY[index + 1 :], "range": here(2, 5 + index)}]
    assert client.server.engine._ids.__next__() == 2  # type: ignore[attr-defined]
    client.change([{"range": here(2, 13), "text": "7"}], version=50)
    assert (await client.at("textDocument/inlineCompletion", 2, 14, context={"triggerKind": 2}))["items"] == []


async def test_a_later_question_ends_the_one_before(client: InProcessClient) -> None:
    client.open(STUB + "# slow 300\n")
    _, first = client.begin(
        "textDocument/inlineCompletion",
        {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 4}, "context": {"triggerKind": 1}},
    )
    await client.until(lambda: client.server.engine.busy)
    client.change([{"range": here(2, 4), "text": "x"}])
    assert await asyncio.wait_for(first, 1) is None


async def test_completion_for_editors_without_ghost_text(start: Start) -> None:
    client = await start(without("textDocument.inlineCompletion"))
    provider = client.capabilities["capabilities"]["completionProvider"]
    assert provider["resolveProvider"] is True
    assert "inlineCompletionProvider" not in client.capabilities["capabilities"]
    client.open(STUB)
    (item,) = (await client.at("textDocument/completion", 2, 4))["items"]
    assert item["label"] == "value = 0"
    assert item["textEdit"] == {"newText": BODY, "range": here(2, 4)}
    resolved = await client.request("completionItem/resolve", item)
    assert resolved["documentation"]["kind"] == "markdown"
    assert "return value" in resolved["documentation"]["value"]
    # The item's edit has to be at the cursor; from the header it would not be.
    assert (await client.at("textDocument/completion", 0, 0))["items"] == []
    assert (await client.at("textDocument/completion", 4, 0))["items"] == []


async def test_ghost_text_and_list_items_are_not_both_offered(client: InProcessClient) -> None:
    offered = client.capabilities["capabilities"]
    assert offered["inlineCompletionProvider"] == {}
    assert "completionProvider" not in offered


@pytest.mark.parametrize("item", [{"label": "x"}, {"label": "x", "data": 7}, {"label": "x", "data": {"code": 1}}])
async def test_items_of_others_come_back_as_they_are(client: InProcessClient, item: dict[str, Any]) -> None:
    assert await client.request("completionItem/resolve", item) == item


@pytest.mark.parametrize("wanted", [True, False])
async def test_inlay_hints_are_off_unless_wanted(start: Start, wanted: bool) -> None:
    client = await start(initializationOptions={"inlayHints": wanted})
    client.open("wrong = 1\n" + TEXT)
    await client.pull()
    place = {"start": {"line": 1, "character": 0}, "end": {"line": 9, "character": 0}}
    hints = await client.request("textDocument/inlayHint", {"textDocument": {"uri": URI}, "range": place})
    if not wanted:
        assert hints is None
        return
    (hint,) = hints
    assert (hint["label"], hint["position"]) == ("right?", {"line": 2, "character": 16})
    assert applied("wrong = 1\n" + TEXT, {"changes": {URI: hint["textEdits"]}}).endswith("return right\n")


async def test_debug_information(start: Start) -> None:
    client = await start(process=True)
    client.open(TEXT)
    await client.pull()
    told = await client.request("workspace/executeCommand", {"command": "codehunch.debugInformation"})
    assert told["documents"] == 1
    assert told["worker"]["pid"] == client.server.engine.pid
    assert "wrong" not in json.dumps(told)


async def test_restart_worker(start: Start) -> None:
    client = await start(process=True)
    client.open(TEXT)
    await client.pull()
    before = client.server.engine.pid
    await client.request("workspace/executeCommand", {"command": "codehunch.restartWorker"})
    assert len((await client.pull())["items"]) == 1
    assert client.server.engine.pid not in (before, None)

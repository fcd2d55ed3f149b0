"""Notebooks: the code cells are one program, and findings come back to their cells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsp_client import FULL, InProcessClient, ResponseError, Start

from codehunch.lsp.programs import join
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.text import SourceText

NOTEBOOK = "file:///project/study.ipynb"
CAPABILITIES = {**FULL, "notebookDocument": {"synchronization": {}}}
PUSHED = {"notebookDocument": {"synchronization": {}}}


def uri(name: str) -> str:
    return f"vscode-notebook-cell:/project/study.ipynb#{name}"


def item(name: str, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": uri(name), "languageId": language, "version": 1, "text": text}


def cell(name: str, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": uri(name)}


def open_notebook(client: InProcessClient, **cells: str) -> None:
    client.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": NOTEBOOK,
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [cell(name, 1 if name.startswith("text") else 2) for name in cells],
            },
            "cellTextDocuments": [
                item(name, text, "markdown" if name.startswith("text") else "python") for name, text in cells.items()
            ],
        },
    )


def change_notebook(client: InProcessClient, version: int, **cells: Any) -> None:
    client.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": NOTEBOOK, "version": version}, "change": {"cells": cells}},
    )


def type_into(client: InProcessClient, version: int, name: str, text: str) -> None:
    document = {"uri": uri(name), "version": version}
    change_notebook(client, version, textContent=[{"document": document, "changes": [{"text": text}]}])


async def lines(client: InProcessClient, name: str) -> list[int]:
    return [each["range"]["start"]["line"] for each in (await client.pull(uri(name)))["items"]]


async def test_findings_come_back_to_their_cells(start: Start) -> None:
    client = await start(CAPABILITIES)
    open_notebook(client, a="right = 1", text="wrong words", b="\nwrong = 2\n", c="%magic wrong\nx = wrong")
    assert [await lines(client, name) for name in ("a", "text", "b", "c")] == [[], [], [1], [0, 1]]
    # One computation for the whole notebook.
    assert client.server.engine._ids.__next__() == 2  # type: ignore[attr-defined]
    (finding,) = (await client.pull(uri("b")))["items"]
    assert finding["relatedInformation"][0]["location"]["uri"] == uri("a")
    params = {"textDocument": {"uri": uri("b")}, "range": finding["range"], "context": {"diagnostics": []}}
    fix, *_ = await client.request("textDocument/codeAction", params)
    (edit,) = fix["edit"]["documentChanges"]
    assert edit["textDocument"]["uri"] == uri("b")
    assert edit["edits"] == [{"range": finding["range"], "newText": "right"}]


async def test_cells_come_go_and_change(start: Start) -> None:
    client = await start(CAPABILITIES)
    open_notebook(client, a="wrong = 1", b="x = 1")
    type_into(client, 2, "b", "x = 1\nwrong = 2")
    assert [await lines(client, name) for name in ("a", "b")] == [[0], [1]]
    array = {"start": 0, "deleteCount": 1, "cells": [cell("c"), cell("d")]}
    opened = [item("c", "wrong = wrong"), item("d", "pass")]
    change_notebook(client, 3, structure={"array": array, "didOpen": opened, "didClose": [{"uri": uri("a")}]})
    assert [await lines(client, name) for name in ("a", "b", "c", "d")] == [[], [1], [0, 0], []]
    change_notebook(client, 4, data=[cell("c", 1)])  # Turned into text.
    assert [await lines(client, name) for name in ("b", "c")] == [[1], []]
    client.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": [{"uri": uri(name)} for name in "bcd"]},
    )
    assert [await lines(client, name) for name in ("b", "c", "d")] == [[], [], []]
    assert len(client.server.documents) == 0
    assert client.server.documents._notebook_of == {}


async def test_pushed_to_every_cell_and_cleared(start: Start) -> None:
    client = await start(PUSHED)
    open_notebook(client, a="wrong = 1", b="x = 1")
    await client.published_version(1, uri("b"))
    assert [len(client.published(uri(name))[-1]["diagnostics"]) for name in "ab"] == [1, 0]
    array = {"start": 0, "deleteCount": 1}
    change_notebook(client, 2, structure={"array": array, "didClose": [{"uri": uri("a")}]})
    await client.until(lambda: client.published(uri("a"))[-1] == {"uri": uri("a"), "diagnostics": []})
    client.notify("notebookDocument/didClose", {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": []})
    await client.until(lambda: client.published(uri("b"))[-1] == {"uri": uri("b"), "diagnostics": []})


async def test_a_change_of_another_cell_supersedes_a_pull(start: Start) -> None:
    client = await start(CAPABILITIES)
    open_notebook(client, a="wrong = 1  # slow 300", b="x = 1")
    _, old = client.begin("textDocument/diagnostic", {"textDocument": {"uri": uri("b")}})
    await client.until(lambda: client.server.engine.busy)
    type_into(client, 2, "a", "wrong = 1")
    with pytest.raises(ResponseError) as caught:
        await asyncio.wait_for(old, 1)
    assert caught.value.code == -32802


async def test_a_notebook_has_the_workspace_indexed_too(start: Start) -> None:
    client = await start(CAPABILITIES, initializationOptions={"workspaceIndex": True})
    assert client.server.index._run is None
    open_notebook(client, a="x = 1")
    await client.until(lambda: client.server.index._run is not None)


async def test_ghost_text_in_a_cell(start: Start) -> None:
    client = await start(CAPABILITIES)
    open_notebook(client, a="import math\n", b='def f(x):\n    """Twice x."""\n    ')
    position = {"line": 2, "character": 4}
    params = {"textDocument": {"uri": uri("b")}, "position": position, "context": {"triggerKind": 2}}
    (suggestion,) = (await client.request("textDocument/inlineCompletion", params))["items"]
    assert suggestion["range"] == {"start": position, "end": position}


async def test_changes_of_what_is_not_open(start: Start) -> None:
    client = await start(CAPABILITIES)
    type_into(client, 2, "a", "wrong = 1")
    client.notify("notebookDocument/didClose", {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": []})
    open_notebook(client)
    type_into(client, 2, "never opened", "wrong = 1")
    array = {"start": 70, "deleteCount": 5, "cells": [cell("never opened")]}
    change_notebook(client, 3, structure={"array": array})
    assert await lines(client, "never opened") == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("%matplotlib inline\nx", "#matplotlib inline\nx"),
        ("  !ls\n?print\n", "  #ls\n#print\n"),
        ("y = (x\n  % name\n  != 3)", "y = (x\n  % name\n  != 3)"),
        ("%%bash\nwrong\r\n", "      \n     \r\n"),
        ("'🙂' % x", "'🙂' % x"),
        ("%%time\nx = 1", "##time\nx = 1"),
        ("%%timeit -n 2 y = 3\n!ls", "##timeit -n 2 y = 3\n#ls"),
        ("%%timeseries\nx", "            \n "),
        ("%run a.py\n  %pylab\n%run", "exec()   \n  exec()\n#run"),
    ],
)
def test_what_only_ipython_understands_is_blanked_out(text: str, read: str) -> None:
    cells = [Snapshot(uri("a"), 1, "python", SourceText(part)) for part in (text, text)]
    program, parts = join(NOTEBOOK, 1, "python", cells)
    assert program.source.text == f"{read}\n{read}\n"
    assert [part.span.of(program.source.text) for part in parts] == [read, read]

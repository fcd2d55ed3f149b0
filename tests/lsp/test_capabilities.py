"""What real editors say of themselves, and what they are offered for it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from client_profiles import capabilities_of
from lsp_client import ResponseError, Start
from lsprotocol import types

from codehunch.lsp.capabilities import Client, flatten, server_capabilities


def on(client: Client) -> set[str]:
    return {name for name, value in attrs.asdict(client).items() if value is True}


def test_a_client_that_says_nothing_can_do_nothing() -> None:
    assert flatten(types.ClientCapabilities()) == Client()
    assert on(Client()) == set()


@pytest.mark.parametrize(
    ("editor", "can", "cannot"),
    [
        (
            "visual-studio-code@v1.65",
            {"related_information", "is_preferred", "code_action_resolves_edit", "diagnostic_data", "progress"},
            {"pull_diagnostics", "inline_completion"},
        ),
        ("neovim_0.7", {"code_action_literals", "related_information"}, {"pull_diagnostics", "inline_completion"}),
        ("neovim@v0.11", {"pull_diagnostics", "progress", "hover_markdown"}, {"inline_completion"}),
        ("neovim_0.12", {"pull_diagnostics", "inline_completion", "diagnostic_refresh", "is_preferred"}, {"notebooks"}),
        (
            "emacs_30_eglot",
            {"code_action_resolves_edit", "code_action_data", "document_changes", "inlay_hints", "show_document"},
            {"pull_diagnostics", "inline_completion", "related_information"},
        ),
        ("emacs@v29", {"code_action_literals"}, {"pull_diagnostics", "inline_completion"}),
        ("emacs_28_eglot_1.9", {"code_action_literals", "apply_edit"}, {"pull_diagnostics", "inline_completion"}),
        (
            "vscode_1.139",
            {
                "pull_diagnostics",
                "inline_completion",
                "diagnostic_refresh",
                "llm_generated_tag",
                "unnecessary_tag",
                "notebooks",
                "is_preferred",
            },
            set(),
        ),
        ("helix", {"code_action_resolves_edit", "hover_markdown", "progress", "pull_diagnostics"}, {"notebooks"}),
    ],
)
def test_editors(editor: str, can: set[str], cannot: set[str]) -> None:
    client = flatten(capabilities_of(editor))
    assert can <= on(client)
    assert not cannot & on(client)
    offered = server_capabilities(client, ["x"])
    assert (offered.diagnostic_provider is not None) == client.pull_diagnostics
    assert (offered.inline_completion_provider is None) == (offered.completion_provider is not None)
    assert offered.text_document_sync == types.TextDocumentSyncOptions(
        open_close=True, change=types.TextDocumentSyncKind.Incremental, save=types.SaveOptions(include_text=False)
    )


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32"], "utf-32"),
        (["utf-7", "utf-16"], "utf-16"),
        (["utf-7"], "utf-16"),
    ],
)
def test_the_clients_favourite_encoding_among_the_known_ones(offered: list[str] | None, chosen: str) -> None:
    general = types.GeneralClientCapabilities(position_encodings=offered)
    assert flatten(types.ClientCapabilities(general=general)).encoding == chosen


NEWER = [
    {"textDocument": {"hover": {"contentFormat": ["html", "markdown"]}}},
    {"textDocument": {"codeAction": {"tagSupport": {"valueSet": [1, 7]}}}},
    {"textDocument": {"publishDiagnostics": {"tagSupport": {"valueSet": [1, 7]}}}},
    {"workspace": {"symbol": {"symbolKind": {"valueSet": [999]}}}},
    {"workspace": {"workspaceEdit": {"failureHandling": "undo", "resourceOperations": ["create", "copy"]}}},
    {"textDocument": {"somethingOf2030": {"x": 1}}},
]


@pytest.mark.parametrize("capabilities", NEWER)
async def test_clients_of_a_later_protocol_are_served(start: Start, capabilities: dict[str, Any]) -> None:
    client = await start(capabilities, trace="compact")
    client.notify("$/setTrace", {"value": "loud"})
    client.open("wrong = 1\n")
    assert len((await client.published_version(1))["diagnostics"]) == 1
    item = {"label": "x", "kind": 999, "tags": [1, 9]}
    assert await client.request("completionItem/resolve", item) == item


@pytest.mark.parametrize("capabilities", [{"textDocument": {"hover": {"contentFormat": [3]}}}, {"general": 7}])
async def test_what_is_no_capability_at_all_is_refused(start: Start, capabilities: dict[str, Any]) -> None:
    with pytest.raises(ResponseError) as caught:
        await start(capabilities)
    assert caught.value.code == -32602

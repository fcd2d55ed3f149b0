"""One protocol over three transports, driven by pytest-lsp, which checks every message against the specification."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from client_profiles import capabilities_of, hang_up
from lsp_client import command, environment
from lsprotocol import types
from pytest_lsp import LanguageClient, make_test_lsp_client
from test_lifecycle import listening

pytestmark = pytest.mark.filterwarnings("error::pytest_lsp.LspSpecificationWarning")

URI = "file:///project/module.py"
WRONG = "def f(right):\n    return wrong\n"
RIGHT = "def f(right):\n    return right\n"


@pytest_asyncio.fixture(name="lsp")
async def _lsp(transport: str) -> AsyncIterator[LanguageClient]:
    client = make_test_lsp_client()
    client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    server = None
    if transport == "stdio":
        await client.start_io(*command(), env=environment())
    else:
        server, port = await listening(transport)
        await (client.start_tcp if transport == "tcp" else client.start_ws)("127.0.0.1", port)
    yield client
    await (hang_up(client) if transport == "tcp" else client.shutdown_session())
    if server is not None:
        assert await asyncio.wait_for(server.wait(), 5) == 0


@pytest.mark.parametrize(
    ("transport", "editor"),
    [
        ("stdio", "vscode_1.139"),
        ("stdio", "neovim_0.7"),
        ("stdio", "neovim_0.12"),
        ("stdio", "emacs_28_eglot_1.9"),
        ("stdio", "emacs@v29"),
        ("stdio", "emacs_30_eglot"),
        ("stdio", "helix"),
        ("tcp", "neovim_0.12"),
        ("tcp", "helix"),
        ("ws", "vscode_1.139"),
        ("ws", "emacs_30_eglot"),
    ],
)
async def test_a_wrong_name_is_flagged_and_the_right_one_is_not(lsp: LanguageClient, editor: str) -> None:
    capabilities = capabilities_of(editor)
    answer = await lsp.initialize_session(types.InitializeParams(capabilities))
    lsp.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, types.LanguageKind.Python, 1, WRONG))
    )
    pulls = answer.capabilities.diagnostic_provider is not None
    (flagged,) = await diagnostics(lsp, pulls, lambda found: bool(found))
    assert (flagged.range.start, flagged.range.end) == (types.Position(1, 11), types.Position(1, 16))
    actions = await lsp.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(URI), flagged.range, types.CodeActionContext([flagged]))
    )
    assert actions
    edit = types.TextDocumentContentChangePartial(flagged.range, "right")
    lsp.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, URI), [edit])
    )
    assert list(await diagnostics(lsp, pulls, lambda found: not found)) == []
    assert not lsp.messages


async def diagnostics(lsp: LanguageClient, pulls: bool, wanted: object) -> list[types.Diagnostic]:
    assert callable(wanted)
    if pulls:
        report = await lsp.text_document_diagnostic_async(
            types.DocumentDiagnosticParams(types.TextDocumentIdentifier(URI))
        )
        assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
        return list(report.items)
    async with asyncio.timeout(20):
        while URI not in lsp.diagnostics or not wanted(lsp.diagnostics[URI]):
            await lsp.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    return list(lsp.diagnostics[URI])

"""What the client can do, flattened once to plain values; and what the server answers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from lsprotocol import types

from codehunch.syntax.text import PositionEncoding

_ENCODINGS: dict[str, PositionEncoding] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}


@attrs.frozen
class Client:
    """The capabilities this server asks about. Everything is off until the client says otherwise."""

    encoding: PositionEncoding = "utf-16"
    pull_diagnostics: bool = False
    diagnostic_refresh: bool = False
    related_information: bool = False
    code_description: bool = False
    diagnostic_data: bool = False
    unnecessary_tag: bool = False
    document_changes: bool = False
    apply_edit: bool = False
    code_action_literals: bool = False
    code_action_resolves_edit: bool = False
    code_action_data: bool = False
    is_preferred: bool = False
    llm_generated_tag: bool = False
    inline_completion: bool = False
    completion_markdown: bool = False
    hover_markdown: bool = False
    progress: bool = False
    configuration: bool = False
    registers_configuration: bool = False
    registers_watched_files: bool = False
    workspace_folders: bool = False
    inlay_hints: bool = False
    notebooks: bool = False
    show_document: bool = False
    status: bool = False


def flatten(capabilities: types.ClientCapabilities) -> Client:
    """The client's capabilities as plain values."""
    text = "text_document"
    action = f"{text}.code_action"
    return Client(
        encoding=_encoding(_get(capabilities, "general.position_encodings") or ()),
        pull_diagnostics=_get(capabilities, f"{text}.diagnostic") is not None,
        diagnostic_refresh=bool(_get(capabilities, "workspace.diagnostics.refresh_support")),
        related_information=_diagnostics(capabilities, "related_information"),
        code_description=_diagnostics(capabilities, "code_description_support"),
        diagnostic_data=_diagnostics(capabilities, "data_support"),
        unnecessary_tag=any(
            types.DiagnosticTag.Unnecessary in (_get(capabilities, f"{text}.{way}.tag_support.value_set") or ())
            for way in ("diagnostic", "publish_diagnostics")
        ),
        document_changes=bool(_get(capabilities, "workspace.workspace_edit.document_changes")),
        apply_edit=bool(_get(capabilities, "workspace.apply_edit")),
        code_action_literals=_get(capabilities, f"{action}.code_action_literal_support") is not None,
        code_action_resolves_edit="edit" in (_get(capabilities, f"{action}.resolve_support.properties") or ()),
        code_action_data=bool(_get(capabilities, f"{action}.data_support")),
        is_preferred=bool(_get(capabilities, f"{action}.is_preferred_support")),
        llm_generated_tag=types.CodeActionTag.LlmGenerated
        in (_get(capabilities, f"{action}.tag_support.value_set") or ()),
        inline_completion=_get(capabilities, f"{text}.inline_completion") is not None,
        completion_markdown=types.MarkupKind.Markdown
        in (_get(capabilities, f"{text}.completion.completion_item.documentation_format") or ()),
        hover_markdown=types.MarkupKind.Markdown in (_get(capabilities, f"{text}.hover.content_format") or ()),
        progress=bool(_get(capabilities, "window.work_done_progress")),
        configuration=bool(_get(capabilities, "workspace.configuration")),
        registers_configuration=bool(_get(capabilities, "workspace.did_change_configuration.dynamic_registration")),
        registers_watched_files=bool(_get(capabilities, "workspace.did_change_watched_files.dynamic_registration")),
        workspace_folders=bool(_get(capabilities, "workspace.workspace_folders")),
        inlay_hints=_get(capabilities, f"{text}.inlay_hint") is not None,
        notebooks=_get(capabilities, "notebook_document") is not None,
        show_document=bool(_get(capabilities, "window.show_document.support")),
        status=_experimental(capabilities, "codehunchStatus"),
    )


def server_capabilities(
    client: Client, commands: Sequence[str], workspace_diagnostics: bool = False
) -> types.ServerCapabilities:
    """What the server offers this client: pull diagnostics only where it pulls, so that nothing comes twice."""
    return types.ServerCapabilities(
        position_encoding=types.PositionEncodingKind(client.encoding),
        text_document_sync=types.TextDocumentSyncOptions(
            open_close=True,
            change=types.TextDocumentSyncKind.Incremental,
            save=types.SaveOptions(include_text=False),
        ),
        diagnostic_provider=types.DiagnosticOptions(
            inter_file_dependencies=False, workspace_diagnostics=workspace_diagnostics, identifier="codehunch"
        )
        if client.pull_diagnostics
        else None,
        notebook_document_sync=types.NotebookDocumentSyncOptions(
            [types.NotebookDocumentFilterWithNotebook("*", [types.NotebookCellLanguage("python")])], save=False
        )
        if client.notebooks
        else None,
        hover_provider=True,
        inlay_hint_provider=types.InlayHintOptions() if client.inlay_hints else None,
        code_action_provider=types.CodeActionOptions(
            code_action_kinds=[types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite],
            resolve_provider=client.code_action_resolves_edit or None,
        ),
        # A client with ghost text would show the same body twice.
        completion_provider=None
        if client.inline_completion
        else types.CompletionOptions(trigger_characters=["\n", " ", '"', "'"], resolve_provider=True),
        inline_completion_provider=types.InlineCompletionOptions() if client.inline_completion else None,
        execute_command_provider=types.ExecuteCommandOptions(commands=list(commands)),
        workspace=types.WorkspaceOptions(
            workspace_folders=types.WorkspaceFoldersServerCapabilities(supported=True, change_notifications=True)
        ),
    )


def _encoding(offered: Sequence[Any]) -> PositionEncoding:
    """The client's favourite among those known here; UTF-16 where it names none, as the protocol has it."""
    for name in offered:
        known = _ENCODINGS.get(getattr(name, "value", name))
        if known is not None:
            return known
    return "utf-16"


def _diagnostics(capabilities: types.ClientCapabilities, name: str) -> bool:
    """Said for pull and push separately since 3.18; either counts."""
    return any(bool(_get(capabilities, f"text_document.{way}.{name}")) for way in ("diagnostic", "publish_diagnostics"))


def _experimental(capabilities: types.ClientCapabilities, name: str) -> bool:
    table = capabilities.experimental
    return isinstance(table, Mapping) and table.get(name) is True


def _get(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name, None)
        if root is None:
            return None
    return root

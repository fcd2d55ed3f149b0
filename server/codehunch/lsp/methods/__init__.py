"""The table of served methods; each has its own file."""

from __future__ import annotations

from collections.abc import Callable

from lsprotocol import types

from codehunch.lsp.methods import (
    code_action,
    code_action_resolve,
    completion,
    completion_resolve,
    did_change,
    did_change_configuration,
    did_change_watched_files,
    did_change_workspace_folders,
    did_close,
    did_open,
    did_save,
    document_diagnostic,
    execute_command,
    exit,
    hover,
    initialize,
    initialized,
    inlay_hint,
    inline_completion,
    notebook_did_change,
    notebook_did_close,
    notebook_did_open,
    set_trace,
    shutdown,
    work_done_progress_cancel,
    workspace_diagnostic,
)

METHODS: dict[str, Callable[..., object]] = {
    types.INITIALIZE: initialize.handle,
    types.INITIALIZED: initialized.handle,
    types.SHUTDOWN: shutdown.handle,
    types.EXIT: exit.handle,
    types.SET_TRACE: set_trace.handle,
    types.TEXT_DOCUMENT_DID_OPEN: did_open.handle,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change.handle,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close.handle,
    types.TEXT_DOCUMENT_DID_SAVE: did_save.handle,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: notebook_did_open.handle,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: notebook_did_change.handle,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: notebook_did_close.handle,
    types.TEXT_DOCUMENT_DIAGNOSTIC: document_diagnostic.handle,
    types.TEXT_DOCUMENT_HOVER: hover.handle,
    types.TEXT_DOCUMENT_INLAY_HINT: inlay_hint.handle,
    types.TEXT_DOCUMENT_CODE_ACTION: code_action.handle,
    types.CODE_ACTION_RESOLVE: code_action_resolve.handle,
    types.TEXT_DOCUMENT_COMPLETION: completion.handle,
    types.COMPLETION_ITEM_RESOLVE: completion_resolve.handle,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion.handle,
    types.WORKSPACE_DIAGNOSTIC: workspace_diagnostic.handle,
    types.WORKSPACE_EXECUTE_COMMAND: execute_command.handle,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration.handle,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files.handle,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders.handle,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL: work_done_progress_cancel.handle,
}
"""Method to ``handle(server, params)``. A coroutine function takes its snapshot before its first ``await``."""

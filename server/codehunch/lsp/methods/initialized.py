"""``initialized``: from now on the server may ask things of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from codehunch.lsp.methods.did_change_configuration import pull_configuration
from codehunch.settings import PYPROJECT, SETTINGS_FILE
from codehunch.syntax.languages import language_named

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def handle(server: CodeHunchServer, params: types.InitializedParams) -> None:
    """Register for what can only be registered dynamically, and fetch the editor's settings."""
    registrations = []
    if server.client.registers_watched_files:
        patterns = [f"**/{name}" for name in (SETTINGS_FILE, PYPROJECT)]
        if server.offers_workspace_diagnostics or server.index.enabled:
            patterns += [f"**/*{suffix}" for suffix in language_named("python").suffixes]
        watchers = [types.FileSystemWatcher(pattern) for pattern in patterns]
        registrations.append(
            types.Registration(
                "codehunch-settings-files",
                types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                types.DidChangeWatchedFilesRegistrationOptions(watchers),
            )
        )
    if server.client.registers_configuration:
        registrations.append(
            types.Registration(
                "codehunch-configuration",
                types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                types.DidChangeConfigurationRegistrationOptions("codehunch"),
            )
        )
    if registrations:
        server.protocol.ask(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations))
    if await pull_configuration(server):
        server.apply_configuration()

"""Commands about the session itself: the worker, what a bug report needs, the models in use."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types

from codehunch import __version__
from codehunch.inference.errors import WorkerError
from codehunch.lsp.errors import failed

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


async def restart_worker(server: CodeHunchServer, arguments: list[Any]) -> None:
    """Start afresh: models, bundles and settings are read anew."""
    server.configuration.forget_files()
    server.engine.options = await server.wanted_options()
    await server.engine.restart()
    server.notices.forget()
    server.apply_configuration()


async def debug_information(server: CodeHunchServer, arguments: list[Any]) -> dict[str, object]:
    """What a bug report needs: versions, the worker, the client. No source text."""
    worker: object = None
    if server.engine.pid is not None:
        try:
            worker = await asyncio.wait_for(server.engine.call("debug", None), 2.0)
        except (TimeoutError, WorkerError) as error:
            worker = str(error) or type(error).__name__
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "pid": os.getpid(),
        "documents": len(server.documents),
        "workerStarts": server.engine.starts,
        "workerMegabytes": server.engine.resident >> 20,
        "worker": worker,
        "client": attrs.asdict(server.client),
        "editorSettings": attrs.asdict(server.configuration.editor),
    }


async def show_model_card(server: CodeHunchServer, arguments: list[Any]) -> list[str]:
    """Open the cards of the models in use, where the editor opens files for a server; returns their paths."""
    await server.start_options()
    try:
        cards = await server.engine.call("cards", None)
    except WorkerError as error:
        server.worker_failed(error)
        raise failed(str(error)) from None
    assert isinstance(cards, tuple)
    for card in cards if server.client.show_document else ():
        await show_document(server, Path(card))
    return list(cards)


async def show_document(server: CodeHunchServer, path: Path) -> None:
    """Have the editor open a file."""
    params = types.ShowDocumentParams(path.as_uri(), external=False, take_focus=True)
    await server.protocol.request(types.WINDOW_SHOW_DOCUMENT, params)

"""Capabilities of real editors: those recorded here, else those of pytest-lsp."""

from __future__ import annotations

import json
from pathlib import Path

from lsprotocol import types
from lsprotocol.converters import get_converter
from pytest_lsp import client_capabilities

_RECORDED = Path(__file__).parent / "clients"


def capabilities_of(editor: str) -> types.ClientCapabilities:
    path = _RECORDED / f"{editor}.json"
    if not path.is_file():
        return client_capabilities(editor)
    return get_converter().structure(json.loads(path.read_text(encoding="utf-8")), types.ClientCapabilities)

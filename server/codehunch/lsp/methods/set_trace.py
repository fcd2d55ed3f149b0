"""``$/setTrace``: how much of the work is told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer


def handle(server: CodeHunchServer, params: types.SetTraceParams) -> None:
    """``verbose`` lowers the log level of this session to debug."""
    follow_trace(params.value)


def follow_trace(value: types.TraceValue | None) -> None:
    """Set the level; also what ``initialize`` says."""
    verbose = value == types.TraceValue.Verbose
    logging.getLogger("codehunch").setLevel(logging.DEBUG if verbose else logging.INFO)

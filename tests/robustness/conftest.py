"""The client and the reference text model are those of the protocol tests."""

from __future__ import annotations

import sys
from pathlib import Path

LSP = str(Path(__file__).parents[1] / "lsp")
if LSP not in sys.path:
    sys.path.insert(0, LSP)

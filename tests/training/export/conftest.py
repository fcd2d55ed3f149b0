"""Makes the helpers beside the tests importable; without the extra `train` there is nothing to test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx", "optimum")):
    collect_ignore_glob = ["test_*.py"]

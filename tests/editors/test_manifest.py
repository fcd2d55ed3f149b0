"""The extension's settings are those of the server. Needs no editor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "client-vscode" / "scripts" / "settings.py"


def test_settings_follow_the_servers_table() -> None:
    result = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr

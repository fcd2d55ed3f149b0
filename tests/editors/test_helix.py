"""Helix in a terminal: the token underlined, hover, the repair, a body from the completion list."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pyte", reason="comes with tests/editors/install.sh")

from .conftest import EDITORS, Shows
from .examples import Mistake
from .terminal import Terminal, terminal

pytestmark = pytest.mark.editors

HELIX = EDITORS / "newer" / "hx"
# A busy machine has time enough to load the models.
LANGUAGES = """\
[language-server.codehunch]
command = "{command}"
args = ["serve", "--stdio"]
config = {{ sensitivity = "medium", generationSeconds = 60 }}

[[language]]
name = "python"
language-servers = ["codehunch"]
"""


def _environment(codehunch: Path, home: Path) -> dict[str, str]:
    folder = home / "config" / "helix"
    folder.mkdir(parents=True)
    (folder / "languages.toml").write_text(LANGUAGES.format(command=codehunch), encoding="utf-8")
    state = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**os.environ, **state, "HOME": str(home), "TERM": "xterm-256color"}


def test_findings(codehunch: Path, shows: Shows, mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    with terminal(HELIX, file, cwd=tmp_path, env=_environment(codehunch, tmp_path)) as helix:
        helix.until(helix.underlined)
        ((row, column, text),) = helix.underlined()
        # The number of the line and the gutter stand before the text.
        margin = helix.lines[0].index(mistake.text.split("\n")[0])
        assert (row, column - margin, text) == (mistake.line, mistake.column, mistake.wrong)
        shows("Helix", "finding")
        helix.press("]d")
        helix.settle(1)
        helix.press(" k")
        helix.until(lambda: "codehunch: ignore" in helix.text)
        shows("Helix", "hover")
        helix.press("\x1b")
        helix.settle(1)
        helix.press(" a")
        helix.until(lambda: mistake.repair in helix.text and "Ignore" in helix.text)
        helix.press("\r")
        helix.settle(1)
        helix.press("\r")
        helix.until(lambda: mistake.mended.split("\n")[mistake.line] in helix.text)
        helix.press(":w\r")
        helix.until(lambda: file.read_text(encoding="utf-8") == mistake.mended)
        shows("Helix", "fix")
        helix.until(lambda: not helix.underlined())
        shows("Helix", "gone")


def _asked(helix: Terminal) -> bool:
    """Whether the list of completions, asked for by its key, holds a body; the editor gives up before models load."""
    helix.press("\x18")
    for _ in range(50):
        helix.settle(0.2)
        if " text" in helix.text:
            return True
    return False


def test_a_body(codehunch: Path, shows: Shows, bodies: dict[str, str], tmp_path: Path) -> None:
    file, before = tmp_path / "described.py", bodies["described"].rstrip()
    file.write_text(before + "\n", encoding="utf-8")
    with terminal(HELIX, file, cwd=tmp_path, env=_environment(codehunch, tmp_path)) as helix:
        helix.until(lambda: before.split("\n")[-1].strip() in helix.text)
        helix.press("ge")
        helix.settle(1)
        helix.press("A\r")
        helix.settle(1)
        helix.until(lambda: _asked(helix))
        helix.press("\x0e")
        helix.settle(1)
        helix.press("\r")
        helix.settle(1)
        # Escape and a key at once would be one key with Alt.
        helix.press("\x1b")
        helix.settle(1)
        helix.press(":w\r")
        helix.until(lambda: len(file.read_text(encoding="utf-8").rstrip()) > len(before) + 3, seconds=60)
        after = file.read_text(encoding="utf-8")
    assert after.startswith(before)
    compile(after, "after", "exec")
    shows("Helix", "list")

"""Emacs 28 and 30 with eglot: findings on the token, hover, a setting changed live, the quick fix, a body in the
completion list."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import EDITORS, HERE, Drive, Shows, named
from .examples import Mistake

pytestmark = pytest.mark.editors


@pytest.mark.parametrize(("version", "program"), [("28", Path("/usr/bin/emacs")), ("30", EDITORS / "newer" / "emacs")])
def test_emacs(
    drive: Drive,
    shows: Shows,
    mistake: Mistake,
    bodies: dict[str, str],
    tmp_path: Path,
    version: str,
    program: Path,
) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    described = bodies["described"]
    command = [program, "-Q", "--batch", "-l", HERE / "emacs.el", file]
    rows = drive(*command, seconds=900, DESCRIBED=described)
    assert int(named(rows, "version").split(".")[0]) >= int(version)
    for name in ("findings", "on"):
        there = [(each["line"], each["column"], each["text"]) for each in named(rows, name)]
        assert there == [(mistake.line, mistake.column, mistake.wrong)]
    assert "codehunch: ignore" in named(rows, "hover")
    assert not named(rows, "off"), "a setting does not count at once"
    assert named(rows, "mended") == mistake.mended
    assert not named(rows, "after")
    shows(f"Emacs {version}", "finding", "hover", "fix", "gone", "live")
    written = named(rows, "described")
    assert written.startswith(described.rstrip())
    assert written != described, "no body was taken from the completion list"
    shows(f"Emacs {version}", "list")

"""Vim 9 with ALE: findings on the token, hover, the repair as a code action."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import HERE, Drive, Shows, named
from .examples import Mistake

pytestmark = pytest.mark.editors


def test_findings(drive: Drive, shows: Shows, mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    command = ["vim", "-N", "-es", "-u", HERE / "vim.vim", file, "-c", "call Run()", "-c", "cquit!"]
    rows = drive(*command, seconds=900)
    there = [(each["line"], each["column"], each["text"]) for each in named(rows, "findings")]
    assert there == [(mistake.line, mistake.column, mistake.wrong)]
    shows("Vim 9 + ALE", "finding")
    assert "codehunch: ignore" in named(rows, "hover")
    shows("Vim 9 + ALE", "hover")
    assert named(rows, "mended") == mistake.mended.rstrip("\n").split("\n")
    shows("Vim 9 + ALE", "fix")
    assert not named(rows, "after")
    shows("Vim 9 + ALE", "gone")

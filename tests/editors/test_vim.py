"""Vim 9 with ALE: findings on the token, gone once it is mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import HERE, Drive, named
from .examples import Mistake

pytestmark = pytest.mark.editors


def test_findings(drive: Drive, mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    command = ["vim", "-N", "-es", "-u", HERE / "vim.vim", file, "-c", "call Run()", "-c", "cquit!"]
    rows = drive(*command, seconds=150, RIGHT=mistake.right)
    there = [(each["line"], each["column"], each["text"]) for each in named(rows, "findings")]
    assert (mistake.line, mistake.column, mistake.wrong) in there
    assert named(rows, "mended") == mistake.mended.rstrip("\n").split("\n")
    assert not named(rows, "after")

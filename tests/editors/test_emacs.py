"""Emacs with eglot: findings on the token, gone once it is mended; a body in the completion list."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import HERE, Drive, named
from .examples import DESCRIBED, Mistake

pytestmark = pytest.mark.editors


def test_findings_and_bodies(drive: Drive, mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    variables = {"RIGHT": mistake.right, "DESCRIBED": DESCRIBED}
    rows = drive("emacs", "-Q", "--batch", "-l", HERE / "emacs.el", file, seconds=150, **variables)
    there = [(each["line"], each["column"], each["text"]) for each in named(rows, "findings")]
    assert (mistake.line, mistake.column, mistake.wrong) in there
    assert named(rows, "mended") == mistake.mended
    assert not named(rows, "after")
    assert named(rows, "described")["items"], "no body in the completion list"

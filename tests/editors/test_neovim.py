"""Neovim with its own client: 0.7, which has findings pushed, 0.11 and 0.12, which pull them. Hover, a setting changed
live, the quick fix, bodies from the completion list and as ghost text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import EDITORS, HERE, Drive, Shows, named
from .examples import Mistake

pytestmark = pytest.mark.editors

NEW, MIDDLE, OLD = EDITORS / "newer" / "nvim", EDITORS / "neovim" / "bin" / "nvim", Path("/usr/bin/nvim")

WAYS = [("0.12", NEW, "ghost"), ("0.11", MIDDLE, "list"), ("0.7", OLD, "list")]


@pytest.mark.parametrize(("version", "program", "shown"), WAYS, ids=[way[0] for way in WAYS])
def test_neovim(
    drive: Drive,
    shows: Shows,
    mistake: Mistake,
    bodies: dict[str, str],
    tmp_path: Path,
    version: str,
    program: Path,
    shown: str,
) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    variables = {"DESCRIBED": bodies["described"], "COMMENTED": bodies["commented"]}
    variables["GHOST"] = "1" if shown == "ghost" else "0"
    rows = drive(program, "--headless", "--clean", "-u", HERE / "neovim.lua", file, seconds=900, **variables)
    assert [int(part) for part in named(rows, "version").split(".")] >= [int(part) for part in version.split(".")]
    place = {"line": mistake.line, "column": mistake.column, "text": mistake.wrong}
    assert named(rows, "findings") == [place]
    assert "codehunch: ignore" in named(rows, "hover")
    assert not named(rows, "off"), "a setting does not count at once"
    assert named(rows, "on") == [place]
    assert named(rows, "repaired") == mistake.mended.rstrip("\n").split("\n")
    assert not named(rows, "after")
    shows(f"Neovim {version}", "finding", "hover", "fix", "gone", "live")
    for name in ("described", "commented") if shown == "ghost" else ("described",):
        _check_body(named(rows, name), shown)
    shows(f"Neovim {version}", shown)


def _check_body(row: dict[str, Any], shown: str) -> None:
    assert row["shown"], row
    assert row["lines"][: len(row["before"]) - 1] == row["before"][:-1], "what was there stays"
    assert row["lines"] != row["before"], "nothing was written"
    if shown == "ghost":
        assert row["again"] == "", "what was accepted is offered again"

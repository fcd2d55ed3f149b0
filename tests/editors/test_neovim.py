"""Neovim 0.11 with its own client: findings pulled and pushed, hover, quick fix, bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import EDITORS, HERE, Drive, named
from .examples import COMMENTED, DESCRIBED, Mistake

pytestmark = pytest.mark.editors


@pytest.mark.parametrize("way", ["pull", "push"])
def test_a_mistake_is_found_and_repaired(drive: Drive, mistake: Mistake, tmp_path: Path, way: str) -> None:
    rows = _run(drive, tmp_path, mistake, PUSH="1" if way == "push" else "0")
    there = [(each["line"], each["column"], each["text"]) for each in named(rows, "findings")]
    assert (mistake.line, mistake.column, mistake.wrong) in there
    assert "codehunch: ignore" in named(rows, "hover")["contents"]["value"]
    assert named(rows, "repaired") == mistake.mended.rstrip("\n").split("\n")
    assert named(rows, "after") == []


@pytest.mark.parametrize("inline", [True, False])
def test_a_body_is_offered(drive: Drive, mistake: Mistake, tmp_path: Path, inline: bool) -> None:
    rows = _run(drive, tmp_path, mistake, INLINE="1" if inline else "0")
    # A list holds only what the model is sure of, as it comes while typing; ghost text was asked for by a key.
    for name in ("described", "commented") if inline else ("described",):
        items: list[dict[str, Any]] = named(rows, name)["items"]
        assert items, f"no body for the {name} function"
        text = items[0]["insertText"] if inline else items[0]["textEdit"]["newText"]
        assert text.strip()


def _run(drive: Drive, folder: Path, mistake: Mistake, **variables: str) -> list[dict[str, Any]]:
    file = folder / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    texts = {"DESCRIBED": DESCRIBED, "COMMENTED": COMMENTED}
    neovim = EDITORS / "neovim" / "bin" / "nvim"
    return drive(neovim, "--headless", "--clean", "-u", HERE / "neovim.lua", file, seconds=120, **texts, **variables)

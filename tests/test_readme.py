"""The commands of README.md and of the quick start, run as they stand there in a small project."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "quick-start.md")
REPORT = '''"""Reports."""


def longest_book(books):
    """Return the book with the most pages, or None if there are no books."""
    if not books:
        return None
    return max(books, key=lambda book: book.pages)


def longest_report(reports):
    """Return the report with the most pages, or None if there are no reports."""
'''
ENDS_WELL = {0, 1}
"""1: there were findings."""


def commands() -> list[str]:
    blocks = [block for page in PAGES for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.S)]
    lines = [line[2:].split("  #")[0].strip() for block in blocks for line in block.split("\n") if line[:2] == "$ "]
    return list(dict.fromkeys(lines))


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("codehunch ")])
def test_a_command_does_what_the_page_says(command: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "report.py").write_text(REPORT, encoding="utf-8")
    run = command.replace("codehunch", f"{shlex.quote(sys.executable)} -m codehunch", 1)
    environment = {**os.environ, "CODEHUNCH_HOME": str(tmp_path / "home")}
    result = subprocess.run(run, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode in ENDS_WELL, result.stderr
    assert "Traceback" not in result.stderr


def test_make_knows_what_the_pages_ask_of_it() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    asked = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert asked
    assert asked <= targets


def test_every_command_is_known_here() -> None:
    assert {line.split()[0] for line in commands()} <= {"codehunch", "make", "pip"}

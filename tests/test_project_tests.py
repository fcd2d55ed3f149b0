"""The tests of a project speak of the functions that they import, wherever both lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codehunch import project_tests
from codehunch.project_tests import ProjectTests

TEXT = """def slug(title):
    return title.replace(" ", "_").lower()
"""
TEST = """from shop.text import slug


def test_slug():
    assert slug("A b") == "a-b"
    assert slug("C") == "c"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "pyproject.toml": "",
        "src/shop/__init__.py": "from .text import slug\n",
        "src/shop/text.py": TEXT,
        "src/shop/other.py": "def slug(title):\n    return 1\n",
        "tests/test_text.py": TEST,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_what_the_tests_say(project: Path) -> None:
    tests = ProjectTests()
    assert tests.told(project / "src/shop/text.py").asserted == {"slug": "slug('A b') == 'a-b'\nslug('C') == 'c'"}
    assert tests.told(project / "src/shop/other.py").asserted == {}
    assert tests.told(project / "tests/test_text.py").asserted == {}
    assert tests.told(project / "src/shop/missing.py").asserted == {}
    assert tests.told(Path("/nowhere.py")).asserted == {}


def test_what_a_package_passes_on_counts(project: Path) -> None:
    (project / "tests/test_text.py").write_text(TEST.replace("shop.text", "shop"), encoding="utf-8")
    tests = ProjectTests()
    assert set(tests.told(project / "src/shop/text.py").asserted) == {"slug"}
    assert tests.told(project / "src/shop/other.py").asserted == {}


def test_a_test_that_changes_is_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_tests, "_HOLDS", 0.0)
    tests, path = ProjectTests(), project / "src/shop/text.py"
    assert "a-b" in tests.told(path).asserted["slug"]
    (project / "tests/test_text.py").write_text(TEST.replace("a-b", "a+b+c"), encoding="utf-8")
    assert "a+b+c" in tests.told(path).asserted["slug"]
    (project / "tests/test_text.py").write_bytes(b"\xff\x00 assert shop text")
    assert tests.told(path).asserted == {}
    (project / "tests/test_text.py").unlink()
    assert tests.told(path).asserted == {}


def test_a_module_outside_of_packages(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "text.py").write_text(TEXT, encoding="utf-8")
    (tmp_path / "test_text.py").write_text(TEST.replace("shop.text", "text"), encoding="utf-8")
    assert set(ProjectTests().told(tmp_path / "text.py").asserted) == {"slug"}


@pytest.mark.parametrize("arguments", [["src"], ["src/shop/text.py"], ["-", "--stdin-filename", "src/shop/text.py"]])
def test_the_command_line_holds_functions_to_their_tests(project: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "codehunch", "check", "--format", "json", "--select", "CH120", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, cwd=project, input=TEXT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["message"].startswith("`slug('A b')` gives 'a_b', a test says 'a-b'; replace `\"_\"` by `\"-\"`")

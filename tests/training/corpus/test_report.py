"""The page beside a corpus, and the command line around it all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from codehunch.cli import main
from codehunch_training.corpus.report import write_report

SHELF = """
class Shelf:
    def area(self, width, height):
        "Area of the shelf in square metres, <script>alert(1)</script>."
        total = width * height
        return total

    def grow(self, width, by):
        total = width + by
        return total
"""


class Page(HTMLParser):
    """Collects tags and the data script, and sees that nothing comes from outside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture
def history(make_repository: Callable[..., Path]) -> Path:
    return make_repository(
        [("a", {"shelf.py": SHELF}), ("Fix wrong area", {"shelf.py": SHELF.replace("width * height", "width * width")})]
    )


def run_cli(*arguments: object) -> int:
    return main(["corpus", *map(str, arguments)])


def test_the_whole_way(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    functions, mined, injected = tmp_path / "functions", tmp_path / "mined", tmp_path / "injected"
    assert run_cli("functions", history, "--out", functions, "--jobs", 1) == 0
    fingerprint = capsys.readouterr().out.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint)
    assert json.loads((functions / "corpus.json").read_text())["fingerprint"] == fingerprint
    assert run_cli("histories", history, "--out", mined, "--jobs", 1) == 0
    assert run_cli("inject", functions, "--out", injected, "--jobs", 1, "--seed", 5) == 0
    assert run_cli("docs", history, "--out", tmp_path / "docs", "--jobs", 1) == 0
    assert run_cli("preferences", mined, "--out", tmp_path / "p.json") == 0
    assert run_cli("dedup", injected, "--out", tmp_path / "clean", "--fractions", "1,0,0", "--exact") == 0
    capsys.readouterr()
    assert run_cli("report", tmp_path / "clean") == 0
    assert "buggy" in capsys.readouterr().out


def test_the_page(history: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_cli("functions", history, "--out", out, "--jobs", 1)
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    samples = json.loads(page.scripts[0])
    assert [sample["about"]["name"] for sample in samples] == ["Shelf.area", "Shelf.grow"]
    assert "<script>alert" in samples[0]["text"]
    assert "<script>alert" not in (out / "report.html").read_text(encoding="utf-8")
    assert page.tags.count("svg") == 2
    assert write_report(out) == out / "report.html"


EXITS: list[tuple[list[str], int, str]] = [
    (["functions", "absent", "--out", "out"], 2, "nothing to read (absent: no such folder)"),
    (["histories", "HISTORY", "absent", "--out", "out", "--jobs", "1"], 1, "absent: no such folder"),
    (["histories", "HISTORY", "--exclude", "project1", "--out", "out"], 2, "excluded by name"),
    (["histories", "HISTORY", "--licences", "Apache-2.0", "--out", "out"], 2, "licence MIT is not on the allow-list"),
    (["functions", "HISTORY", "--revision", "nowhere", "--out", "out"], 2, "cannot read nowhere"),
    (["functions", "@absent.txt", "--out", "out"], 2, "cannot read absent.txt"),
    (["report", "absent"], 2, "no finished corpus"),
    (["inject", "absent", "--out", "out"], 2, "no finished corpus"),
    (["dedup", "absent", "--out", "out"], 2, "no finished corpus"),
    (["dedup", "absent", "--out", "out", "--fractions", "1"], 2, "give three numbers"),
    (["load", "absent.csv", "--out", "out", "--text", "a", "--label", "b"], 2, "does not exist"),
    (["docs", "HISTORY", "--out", "out", "--kinds", "poems"], 2, "choose from docstring, comment, readme"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), EXITS)
def test_exit_codes(
    arguments: list[str], code: int, said: str, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_cli(*(str(history) if word == "HISTORY" else word for word in arguments)) == code
    assert said in capsys.readouterr().err


def test_a_changed_corpus_is_noticed(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run_cli("functions", history, "--out", out, "--jobs", 1)
    manifest = json.loads((out / "corpus.json").read_text())
    (out / "corpus.json").write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))
    assert run_cli("report", out) == 2
    assert "do not match the fingerprint" in capsys.readouterr().err


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['codehunch_training.corpus.folder'] = None\n"
        "from codehunch.cli import main; sys.exit(main(['corpus', 'report', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'codehunch[corpus]'" in done.stderr

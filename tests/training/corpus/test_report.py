"""The page beside a corpus: whole in itself, with samples that cannot run."""

from __future__ import annotations

import json
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

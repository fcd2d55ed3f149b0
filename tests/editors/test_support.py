"""The table of what each editor shows is what the tests saw. `make test-editors` runs it last."""

from __future__ import annotations

import pytest

from .conftest import ROOT, SEEN
from .matrix import table

pytestmark = pytest.mark.support

PAGE = ROOT / "docs" / "editors" / "README.md"


def test_the_documentation_says_what_the_tests_saw() -> None:
    rows = [line.split("\t") for line in SEEN.read_text(encoding="utf-8").splitlines()]
    seen = {(editor, feature) for editor, feature in rows}
    assert table(seen) in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE}:\n{table(seen)}"

"""The table of what each editor shows is what this run saw."""

from __future__ import annotations

import pytest

from .conftest import ROOT
from .matrix import EDITORS_SHOWN, table

pytestmark = pytest.mark.editors

PAGE = ROOT / "docs" / "editors" / "README.md"


def test_the_documentation_says_what_the_tests_saw(seen: set[tuple[str, str]]) -> None:
    if {editor for editor, _ in seen} != set(EDITORS_SHOWN):
        pytest.skip("not every editor was driven in this run")
    assert table(seen) in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE}:\n{table(seen)}"

"""The client and the reference text model are those of the protocol tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (str(HERE), str(HERE.parent / "lsp")):
    if folder not in sys.path:
        sys.path.insert(0, folder)


@pytest.fixture(autouse=True, scope="module")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models, feedback and caches of the person who runs the tests are left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEHUNCH_HOME", str(tmp_path_factory.mktemp("home")))
        yield

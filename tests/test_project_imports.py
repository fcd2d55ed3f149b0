"""How a project imports a name, asked of real folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from codehunch.project_files import package_of, root_of
from codehunch.project_imports import ProjectImports

FILES = {
    "pyproject.toml": "",
    "shop/__init__.py": "",
    "shop/errors.py": "class OutOfStock(Exception):\n    pass\n\n\nLIMIT = 3\n",
    "shop/items/__init__.py": "from .item import Item\n",
    "shop/items/item.py": "class Item:\n    pass\n",
    "shop/cart.py": "from .items import Item\nfrom .errors import OutOfStock\n",
    "shop/bills.py": "from .items import Item\nimport numpy.linalg as la\n",
    "shop/web/__init__.py": "",
    "shop/web/views.py": "",
    "shop/web/urls.py": "try:\n    from fastjson import dumps as to_json\nexcept ImportError:\n    to_json = None\n",
    "tests/test_cart.py": "from shop.cart import OutOfStock\nfrom shop.items import Item\n",
    "tests/test_new.py": "",
    "shop/tests/test_plots.py": "plt = None\nOrder = None\n",
    "shop/web/urls_log.py": "logger = object()\nseen = set()\n",
    "shop/web/items_log.py": "logger = object()\nseen = set()\n",
    "shop/web/both_log.py": "from .items_log import seen\n",
    "broken.py": "from shop.items import (Item\n",
    "binary.py": "\0Item",
    "ignored/late.py": "from elsewhere import Widget\n",
    ".gitignore": "ignored/\n",
    "latin.py": "# -*- coding: latin-1 -*-\n# Item \xe9\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    return root


@pytest.mark.parametrize(
    ("file", "name", "first"),
    [
        ("shop/web/views.py", "Item", "from ..items import Item"),
        ("shop/new.py", "Item", "from .items import Item"),
        ("shop/items/item.py", "OutOfStock", "from ..errors import OutOfStock"),
        ("tests/test_new.py", "Item", "from shop.items import Item"),
        ("tests/test_new.py", "OutOfStock", "from shop.errors import OutOfStock"),
        ("shop/new.py", "LIMIT", "from shop.errors import LIMIT"),
        ("shop/new.py", "la", "import numpy.linalg as la"),
        ("shop/new.py", "to_json", "from fastjson import dumps as to_json"),
        ("shop/new.py", "errors", "from shop import errors"),
        ("tests/test_new.py", "shop", "import shop"),
        ("shop/new.py", "Widget", None),
        ("shop/new.py", "logger", None),  # Every file has its own.
        ("shop/new.py", "seen", "from .web.items_log import seen"),
        ("shop/new.py", "Order", None),
        ("shop/new.py", "plt", "import matplotlib.pyplot as plt"),
        ("shop/new.py", "os", "import os"),
    ],
)
def test_as_the_other_files_do(project: Path, file: str, name: str, first: str | None) -> None:
    find = ProjectImports().finder(project / file)
    assert next(iter(find(name, None)), None) == first


def test_a_file_does_not_import_from_itself(project: Path) -> None:
    find = ProjectImports().finder(project / "shop/errors.py")
    assert "from .errors import OutOfStock" not in find("OutOfStock", None)


def test_what_a_name_is_asked_tells_a_module_from_what_is_in_it(project: Path) -> None:
    (project / "shop/clock.py").write_text("import datetime\n")
    find = ProjectImports().finder(project / "shop/new.py")
    assert find("datetime", "now")[0] == "from datetime import datetime"
    assert find("datetime", "timedelta")[0] == "import datetime"


def test_a_project_that_is_gone_says_nothing(tmp_path: Path) -> None:
    find = ProjectImports().finder(tmp_path / "gone" / "a.py")
    assert find("Item", None) == ()
    assert find("os", None) == ("import os",)


def test_roots_and_packages(project: Path, tmp_path: Path) -> None:
    assert root_of(project / "shop/web/views.py") == project
    assert package_of(project / "shop/web") == ("shop", "web")
    assert package_of(project) == ()
    inner = tmp_path / "alone" / "deep"
    inner.mkdir(parents=True)
    (inner / "__init__.py").touch()
    assert root_of(inner / "a.py") == tmp_path / "alone"
    assert root_of(Path("/a.py")) is None

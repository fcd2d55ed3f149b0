"""Imports that many projects have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

from codehunch_training.corpus.imports import imports_of_projects
from codehunch_training.tasks.default_defects import app

FILES = {
    "a/one.py": "import os\nimport numpy as np\nfrom typing import Self, Any\nfrom . import late\npath = 1\n",
    "a/two.py": "import os.path\nfrom os import path\nimport traceback\nfrom here import *\n",
    "b/one.py": "import os\nfrom typing_extensions import Self\nfrom os import path\ndef f(traceback, path): ...\n",
    "b/two.py": "import numpy as np\nclass Any: ...\ndef g(traceback): path = 2\n",
    "c/one.py": "from typing_extensions import Self\nimport traceback\n\n\ndef f(traceback):\n    import os\n",
    "c/bad.py": "import os os",
    "held/one.py": "import held_only\n",
    "tenacity/one.py": "import left_out\n",
}


@pytest.fixture(name="trees")
def _trees(tmp_path: Path) -> list[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return sorted(each for each in tmp_path.iterdir())


def test_what_counts(trees: list[Path]) -> None:
    named = [(tree.name, tree) for tree in trees]
    # Two in five files that bind `traceback` import it; `path` is mostly a variable, and no module of its own.
    assert imports_of_projects(named, 2, 9) == [
        "import os",
        "from typing_extensions import Self",
        "import numpy as np",
        "",
        "import traceback",
    ]
    every = imports_of_projects(named, 1, 9)
    assert every.index("from typing import Self") < every.index("from typing_extensions import Self")
    assert not {"from . import late", "import os.path", "from here import *", "from os import path"} & set(every)


def test_the_command_leaves_out_what_is_held_out(trees: list[Path], tmp_path: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "imports.txt"
    recipe.write_text('validation_projects = ["held"]\n')
    arguments = ["imports", str(out), *map(str, trees), "--recipe", str(recipe), "--least", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = out.read_text()
    assert json.loads(result.stdout.splitlines()[-1])["projects"] == 3
    assert "import os\n" in found
    assert "held_only" not in found
    assert "left_out" not in found

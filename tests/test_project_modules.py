"""What a file imports of its project is as that says, without running any of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codehunch import project_modules
from codehunch.interpreter.program import Outcome, Program
from codehunch.project import Project
from codehunch.syntax.sections import cut_at, section_starts

FILES = {
    "pyproject.toml": "",
    "src/shop/__init__.py": "from .text import slug\nfrom .numbers import *\nfrom . import text as words\n",
    "src/shop/text.py": "from .numbers import add\nSEPARATOR = '-'\n"
    "def slug(title):\n    return SEPARATOR.join(title.lower().split())\n"
    "def twice(n):\n    return add(n, n)\n",
    "src/shop/numbers.py": "__all__ = ['add', 'LIMIT']\nLIMIT = 3\n_own = 4\nother = 5\n"
    "def add(a, b):\n    return a + b\n",
    "src/shop/deep/__init__.py": "",
    "src/shop/deep/inner.py": "from ..text import slug as dashed\nfrom ... import nothing\n"
    "def shout(title):\n    return dashed(title).upper()\n",
    "src/shop/round.py": "from .about import B\nA = B\n",
    "src/shop/about.py": "from .round import A\nB = A\n",
    "src/shop/back.py": "from .edited import base\ndef doubled(n):\n    return 2 * base(n)\n",
    "src/shop/edited.py": "",
    "src/shop/binary.py": "\0\1\2",
    "src/shop/open.py": "from somewhere import *\n",
    "scripts/tool.py": "import helper\nfrom shop import slug\ndef f(n):\n    return helper.one(n), slug('A B')\n",
    "scripts/helper.py": "def one(n):\n    return n + 1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _program(path: Path, text: str, project: Project | None = None) -> Program:
    around = (project or Project()).around(path)
    return Program([piece for _, piece in cut_at(text, list(section_starts(text)))], around.modules)


def _outcome(project: Path, text: str, name: str = "src/shop/edited.py") -> Outcome:
    return _program(project / name, text).call("f", (3,))


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("from .text import slug\ndef f(n):\n    return slug('A b')", "a-b"),
        ("from shop.text import slug as s\ndef f(n):\n    return s('A b')", "a-b"),
        ("import shop\ndef f(n):\n    return shop.slug('A b'), shop.add(n, shop.LIMIT)", ("a-b", 6)),
        ("import shop.text\ndef f(n):\n    return shop.text.twice(n)", 6),
        ("import shop.text as t\ndef f(n):\n    return t.twice(n), t.SEPARATOR", (6, "-")),
        ("from . import numbers\ndef f(n):\n    return numbers.add(n, 1), numbers._own", (4, 4)),
        ("from shop import words, numbers\ndef f(n):\n    return words.twice(numbers.LIMIT)", 6),
        ("from shop.numbers import *\ndef f(n):\n    return add(n, LIMIT)", 6),
        ("def f(n):\n    from .deep.inner import shout\n    return shout('a b')", "A-B"),
        ("from .back import doubled\ndef base(n):\n    return n + 1\ndef f(n):\n    return doubled(n)", 8),
        ("from math import *\ndef f(n):\n    return sqrt(n + 1)", 2.0),
        ("from math import *\ndef f(n):\n    return sum([n, 1])", 4),
    ],
)
def test_an_import_means_what_python_takes_it_for(project: Path, text: str, given: object) -> None:
    outcome = _outcome(project, text)
    assert outcome.decided, outcome.undecided
    assert outcome.value == given


@pytest.mark.parametrize(
    "text",
    [
        "from .missing import slug\ndef f(n):\n    return slug(n)",
        "from .text import missing\ndef f(n):\n    return missing(n)",
        "from shop.numbers import *\ndef f(n):\n    return other",
        "from shop.numbers import *\ndef f(n):\n    return _own",
        "from shop.round import A\ndef f(n):\n    return A",
        "from shop.binary import A\ndef f(n):\n    return A",
        "from shop.open import *\ndef f(n):\n    return sum([n])",
        "from ..... import far\ndef f(n):\n    return far(n)",
        "import numpy\ndef f(n):\n    return numpy.sum(n)",
        "from numpy import *\ndef f(n):\n    return sum([n])",
        "from os import *\ndef f(n):\n    return getcwd()",
        "import shop\ndef f(n):\n    return shop.text.os",
        "from shop import text\ndef f(n):\n    text.SEPARATOR = '+'\n    return text.slug('a b')",
    ],
)
def test_what_cannot_be_known_is_undecided(project: Path, text: str) -> None:
    assert _outcome(project, text).undecided


def test_a_script_finds_what_lies_beside_it_and_in_the_project(project: Path) -> None:
    outcome = _outcome(project, FILES["scripts/tool.py"], "scripts/tool.py")
    assert outcome.value == (4, "a-b")


def test_what_the_file_says_now_counts_for_others(project: Path) -> None:
    """Another file calls a function of this one, of which the disk has another text."""
    (project / "src/shop/edited.py").write_text("def base(n):\n    return 100\n", encoding="utf-8")
    text = "from .back import doubled\ndef base(n):\n    return {}\ndef f(n):\n    return doubled(n)\n"
    assert _outcome(project, text.format("n")).value == 6
    program = _program(project / "src/shop/edited.py", text.format("n"))
    assert program.replaced("base", "def base(n):\n    return -n\n").call("f", (3,)).value == -6


def test_another_file_that_changes_is_seen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_modules, "_HOLDS", 0.0)
    around, path = Project(), project / "src/shop/edited.py"
    text = "from .text import slug\nfrom .later import x\ndef f(n):\n    return slug('A b'), x\n"
    program = _program(path, text, around)
    assert program.call("f", (3,)).undecided
    before = {each: program.bound(*each) for each in program.looked_up}
    assert before == {each: program.bound(*each) for each in program.looked_up}
    (project / "src/shop/later.py").write_text("x = 1\n", encoding="utf-8")
    program = _program(path, text, around)
    assert before != {each: program.bound(*each) for each in before}
    assert program.call("f", (3,)).value == ("a-b", 1)
    before = {each: program.bound(*each) for each in program.looked_up}
    (project / "src/shop/text.py").write_text(FILES["src/shop/text.py"].replace("'-'", "'+'"), encoding="utf-8")
    os.utime(project / "src/shop/text.py", ns=(1, 1))
    program = _program(path, text, around)
    assert before != {each: program.bound(*each) for each in before}
    assert program.call("f", (3,)).value == ("a+b", 1)
    (project / "src/shop/text.py").unlink()
    assert _program(path, text, around).call("f", (3,)).undecided


def test_a_long_chain_of_files_is_undecided(project: Path) -> None:
    for number in range(60):
        text = f"from .link{number + 1} import x\n"
        (project / f"src/shop/link{number}.py").write_text(text, encoding="utf-8")
    (project / "src/shop/link60.py").write_text("x = 1\n", encoding="utf-8")
    assert _outcome(project, "from .link0 import x\ndef f(n):\n    return x").undecided
    assert _outcome(project, "from .link40 import x\ndef f(n):\n    return x").value == 1

"""Docstrings with bodies, comments with statements, documents with code."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from codehunch_training.corpus.blocks import python_blocks
from codehunch_training.corpus.folder import read_manifest, read_rows
from codehunch_training.corpus.plans import Allowed, plan_pairs
from codehunch_training.corpus.prose import is_code, is_english, is_noise, without_doctests
from codehunch_training.corpus.work import run

MODULE = '''
import os
from a import (b,
               c)


class Shelf:
    def __init__(self, width):
        """Remember the width of the shelf."""
        self.width = width

    async def fit(self, things, *, limit: int = 3) -> list:  # all of them
        """Return the things that fit on the shelf.

        Things are taken in the order given.

        >>> fit([1])
        [1]
        """
        # keep room for the books
        space = self.width - limit

        # x = old_way(things)
        result = []
        for thing in things:
            # Only what is small enough
            # may stay on it.
            if thing.width < space:
                result.append(thing)
                space -= thing.width
        return result

    def größer(self, other):
        """Sagt, ob dieses Regal breiter als das andere ist."""
        return self.width > other.width and other.width > 0

    def stub(self):
        """Does nothing at all here."""
        pass


def helper(path):
    """Join the path of the file with the folder it lies in."""
    text = """
kept as it is
"""
    return os.path.join(path, text)
'''

README = """
# Shelves

Install it, then sort your *books* with [sort](http://x.y):

```python
>>> from shelf import sort
>>> sort([3, 1])
[1, 3]
```

```sh
make
```

```python
this is no python
```
"""

MANUAL = """
Shelves
=======

To add a book, call ``add``::

    >>> add(book)
    True

Or all at once, with a loop over the books you have:

.. code-block:: python
   :linenos:

   for book in books:
       add(book)

.. code-block:: bash

   rm -rf /
"""


def pairs(tmp_path: Path, **options: Any) -> list[Any]:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "shelf.py").write_text(MODULE, encoding="utf-8")
    (source / "README.md").write_text(README)
    (source / "manual.rst").write_text(MANUAL)
    values = {"kinds": ["docstring", "comment", "readme"], **options}
    run(plan_pairs([source], tmp_path / "out", revision="", options=values, allowed=Allowed(), about={}))
    return list(read_rows(tmp_path / "out"))


def test_docstrings(tmp_path: Path) -> None:
    rows = {row.name: row for row in pairs(tmp_path, kinds=["docstring"])}
    assert set(rows) == {"Shelf.fit", "helper"}  # One trivial, one stub, one in another language.
    fit = rows["Shelf.fit"]
    assert fit.text == "Return the things that fit on the shelf.\n\nThings are taken in the order given."
    assert fit.signature == "async def fit(self, things, *, limit: int = 3) -> list:"
    assert fit.enclosing_class == "Shelf"
    assert fit.imports == ("import os", "from a import (b, c)")
    assert fit.siblings == ("def __init__(self, width):", "def größer(self, other):", "def stub(self):")
    assert fit.target.startswith("# keep room for the books\nspace = self.width - limit\n\n")
    assert fit.target.endswith("        space -= thing.width\nreturn result\n")
    assert rows["helper"].target == 'text = """\nkept as it is\n"""\nreturn os.path.join(path, text)\n'
    assert read_manifest(tmp_path / "out")["skipped"] == {"trivial body": 2, "not English": 1}


def test_options(tmp_path: Path) -> None:
    rows = {
        row.name: row for row in pairs(tmp_path, kinds=["docstring"], any_language=True, doctests=True, normalise=True)
    }
    assert "Shelf.größer" in rows
    assert rows["Shelf.fit"].text.endswith(">>> fit([1])\n[1]")
    assert "#" not in rows["Shelf.fit"].target
    assert rows["helper"].target == "text = '\\nkept as it is\\n'\nreturn os.path.join(path, text)\n"


def test_comments(tmp_path: Path) -> None:
    rows = pairs(tmp_path, kinds=["comment"])
    assert [(row.text, row.target) for row in rows] == [
        ("keep room for the books", "space = self.width - limit\n"),
        (
            "Only what is small enough may stay on it.",
            "if thing.width < space:\n    result.append(thing)\n    space -= thing.width\n",
        ),
    ]
    assert read_manifest(tmp_path / "out")["skipped"] == {"noisy description": 1}


def test_documents(tmp_path: Path) -> None:
    rows = pairs(tmp_path, kinds=["readme"], shortest=1)
    assert [(row.path, row.text, row.target) for row in rows] == [
        ("README.md", "Install it, then sort your books with sort:", "from shelf import sort\nsort([3, 1])\n"),
        ("manual.rst", "To add a book, call add:", "add(book)\n"),
        ("manual.rst", "Or all at once, with a loop over the books you have:", "for book in books:\n    add(book)\n"),
    ]


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        ("```py\nx = 1\n", ".md", [("", "x = 1\n", 2)]),
        ("~~~ python\nx = 1\n~~~\n", ".md", [("", "x = 1\n", 2)]),
        ("::\n\n  plain words\n", ".rst", []),
        (">>> x = 1\n>>> x\n1\n", ".rst", [("", "x = 1\nx\n", 1)]),
        ("", ".rst", []),
    ],
)
def test_blocks(text: str, suffix: str, expected: list[tuple[str, str, int]]) -> None:
    assert list(python_blocks(text, suffix)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Return the number of rows in this table.", True),
        ("Sort list", True),
        ("Gibt die Anzahl der Zeilen der Tabelle zurück", False),
        ("返回表格的行数", False),
        ("Retourne le nombre de lignes dans la table donnée", False),
        ("", False),
    ],
)
def test_english(text: str, expected: bool) -> None:
    assert is_english(text) is expected


@pytest.mark.parametrize(
    ("comment", "noise", "code"),
    [
        ("keep the first one", False, False),
        ("TODO: keep the first one", True, False),
        ("------------------", True, False),
        ("type: ignore", True, False),
        ("result = call(a, b)[0]", False, True),
    ],
)
def test_comments_that_say_nothing(comment: str, noise: bool, code: bool) -> None:
    assert is_noise(comment) is noise
    assert is_code(comment) is code


def test_doctests_are_cut() -> None:
    text = textwrap.dedent("""\
        Add two numbers.

        Examples
        --------
        >>> add(1,
        ...     2)
        3

        Numbers may be negative.

        >>> add(1, -2)
        -1""")
    assert without_doctests(text) == "Add two numbers.\n\nExamples\n--------\n\nNumbers may be negative."

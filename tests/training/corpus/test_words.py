"""Attributes and words that many projects use: what others may be misspellings of."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

from codehunch_training.corpus.members import common_members
from codehunch_training.corpus.rows import FunctionRow, to_line
from codehunch_training.corpus.words import as_file, words_of_names
from codehunch_training.tasks.default_defects import app


def test_attributes_that_many_projects_use(tmp_path: Path) -> None:
    rows = [
        FunctionRow(project=project, path="", name="f", text=f"def f(a):\n    a.{name}('gone.nowhere')\n    a.see\n")
        for project, name in [
            ("a", "first"),
            ("a", "second"),
            ("b", "second"),
            ("b", "first"),
            ("c", "first"),
            ("held", "held"),
        ]
    ]
    assert common_members(rows, 2, 9) == ["first", "second"]
    assert common_members(rows, 3, 9) == ["first"]
    assert common_members(rows, 2, 1) == ["first"]  # Only the first function of each project.
    source, recipe, out = tmp_path / "f.jsonl.gz", tmp_path / "r.toml", tmp_path / "members.txt"
    with gzip.open(source, "wt") as sink:
        sink.writelines(f"{to_line(row)}\n" for row in rows)
    recipe.write_text('validation_projects = ["held"]\n')
    result = CliRunner().invoke(app, ["members", str(source), str(out), "--recipe", str(recipe), "--least", "1"])
    assert result.exit_code == 0, result.output
    assert out.read_text() == "first\nsecond\n"


def test_words_that_names_are_made_of(tmp_path: Path) -> None:
    text = "def f(a):\n    {0} = a.id\n    return {0}, 'gone'\n"
    rows = [
        FunctionRow(project=project, path="", name="f", text=text.format(name))
        for project, name in [
            ("a", "outerSize"),
            ("a", "legnth"),
            ("b", "outer_name"),
            ("c", "OUTER"),
            ("held", "held"),
        ]
    ]
    users = words_of_names(rows, 9)
    assert users == {"outer": 3, "size": 1, "legnth": 1, "name": 1, "held": 1}
    assert words_of_names(rows, 1) == {"outer": 3, "size": 1, "name": 1, "held": 1}  # The first function of each.
    assert as_file(users, 1, 3) == "outer\n\nheld\nlegnth\nname\nsize\n"
    source, recipe, out = tmp_path / "f.jsonl.gz", tmp_path / "r.toml", tmp_path / "words.txt"
    with gzip.open(source, "wt") as sink:
        sink.writelines(f"{to_line(row)}\n" for row in rows)
    recipe.write_text('validation_projects = ["held"]\n')
    options = ["--recipe", str(recipe), "--least", "1", "--many", "2"]
    result = CliRunner().invoke(app, ["words", str(source), str(out), *options])
    assert result.exit_code == 0, result.output
    assert out.read_text() == "outer\n\nlegnth\nname\nsize\n"

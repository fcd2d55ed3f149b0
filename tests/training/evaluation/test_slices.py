"""Groups of functions by what should not matter, and functions under other names."""

from __future__ import annotations

import ast

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.evaluation.slices import properties, renamed, size_class, ways
from codehunch_training.evaluation.style import WORDS

SUMMED = "def add(first, second=0):\n    total = first + second\n    return total\n"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (
            SUMMED,
            "a/sums.py",
            {"docstring": "without", "annotations": "without", "tests": "no test", "size": "1 to 3 lines"},
        ),
        ('def f(a):\n    """Say."""\n    return a\n', "tests/f.py", {"docstring": "with", "tests": "test"}),
        ("def f(a: int):\n    return a\n", "f.py", {"annotations": "with"}),
        ("def f(a: int = 1):\n    return a\n", "f.py", {"annotations": "with"}),
        (
            "@cached\ndef f(a) -> int:\n\n\n    b = a\n    return b\n",
            "test_f.py",
            {"annotations": "with", "size": "4 to 10 lines"},
        ),
        ("x = 1\n", "f.py", {}),
    ],
)
def test_properties(text: str, path: str, expected: dict[str, str]) -> None:
    found = properties(text, path, "p")
    assert bool(found) == bool(expected)
    assert found | expected == found


def test_rows_of_other_languages_are_in_no_group() -> None:
    rows = [{"path": "tests/a.py", "project": "p"}, {"language": "c"}, {}]
    found = ways(rows, [SUMMED, "int f(void) { return 1; }", "x = 1"])
    assert found["tests"] == ["test", "", ""]
    assert found["docstring"] == ["without", "", ""]
    assert found["project"] == ["p", "", ""]


@pytest.mark.parametrize(("lines", "expected"), [(1, "1 to 3 lines"), (4, "4 to 10 lines"), (51, "more than 50 lines")])
def test_classes_of_size(lines: int, expected: str) -> None:
    assert size_class(lines) == expected


@pytest.mark.parametrize("language", sorted(WORDS))
def test_renaming_keeps_the_program(language: str) -> None:
    changed = renamed(SUMMED, language)
    assert changed is not None
    assert changed == renamed(SUMMED, language)
    names = {node.id for node in ast.walk(ast.parse(changed)) if isinstance(node, ast.Name)}
    assert names <= WORDS[language]
    namespace: dict[str, object] = {}
    exec(compile(changed, "changed", "exec"), namespace)
    assert namespace["add"](2, 3) == 5  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["def f():\n    return 1\n", "def f(a):\n    return locals()\n", "x = 1\n", "def f(:\n"]
)
def test_what_cannot_be_renamed(text: str) -> None:
    assert renamed(text, "German") is None

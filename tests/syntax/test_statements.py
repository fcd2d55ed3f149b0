"""What stands outside of functions: found whole or section by section, half typed or not."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.syntax.statements import class_parts, outer_statements

SCRIPT = '''"""What it does."""
import sys
from os import path as where
LIMIT = 3
NAMES = ["a", "b"]
__all__ = ()
total: int
count = len(NAMES); print(count)
@decorated
def function():
    return LIMIT
class Thing:
    size = len(NAMES)
    def method(self):
        print(self)
if LIMIT:
    print("é", count)
else:
    count += LIMIT
try:
    import json
except ImportError:
    def loads(text):
        return text
for each in NAMES: print(each)
with open(sys.argv[1]) as file:
    class Row: ...
del count
# the end
'''


def found(text: str) -> list[str]:
    return [span.of(text) for span in outer_statements(parse(text))]


def test_statements_that_compute_something() -> None:
    assert found(SCRIPT) == [
        "total: int",
        "count = len(NAMES)",
        "print(count)",
        'if LIMIT:\n    print("é", count)\nelse:\n    count += LIMIT',
        "for each in NAMES: print(each)",
        "del count",
    ]


CLASSES = '''
SIZE = 3
@registered(SIZE)
class Outer(Base, metaclass=Meta):
    """What it is."""
    size: int = SIZE
    rows = [
        size,
    ]
    if SIZE:
        more = size
    pass
    @property
    def method(self):
        class Local(Base): ...
    @marked
    class Inner[T](Generic[T]):
        field: T
def function():
    class Local(Base):
        size = SIZE
if SIZE:
    class Late(Outer): ...
'''


def parts(text: str) -> list[tuple[str, str | None]]:
    return [(each.span.of(text), each.class_name) for each in class_parts(parse(text))]


def test_what_classes_compute() -> None:
    assert parts(CLASSES) == [
        ("registered(SIZE)", None),
        ("Outer(Base, metaclass=Meta)", None),
        ("size: int = SIZE", "Outer"),
        ("rows = [\n        size,\n    ]", "Outer"),
        ("marked", "Outer"),
        ("Generic[T]", "Outer"),
        ("field: T", "Outer.Inner"),
        ("Late(Outer)", None),
    ]
    assert parts(CLASSES + "x = (") == parts(CLASSES)
    assert not parts("class Half(Base):\n    size = (\n")


@pytest.mark.parametrize("typed", ["x = (", "print('", "for each in", "def f(", "class C:\n    def"])
def test_what_is_half_typed_hides_nothing_above(typed: str) -> None:
    assert found(SCRIPT + typed) == found(SCRIPT)


@pytest.mark.parametrize("text", ["", "\n", "\0", "# only this", "\ufeff", "(" * 5000, "if x:\n" * 200, "x = 1\\"])
def test_odd_texts(text: str) -> None:
    assert found(text) == []
    assert parts(text) == []


def test_a_table_is_no_code() -> None:
    row = "    name,\n"
    assert found(f"table = [\n{row * 100}]\n")
    assert not found(f"table = [\n{row * 10_000}]\nother = 1\n")


def test_real_files() -> None:
    """Section by section as in one piece, and never what a function holds."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    seen = 0
    for name in (
        "argparse",
        "calendar",
        "enum",
        "os",
        "site",
        "sre_constants",
        "token",
        "types",
        "typing",
        "unittest/case",
    ):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        spans = list(outer_statements(parse(text)))
        pieces = list(cut_at(text, list(section_starts(text))))
        by_section = [
            (at + each.start, at + each.end) for at, piece in pieces for each in outer_statements(parse(piece))
        ]
        assert by_section == [(each.start, each.end) for each in spans]
        of_classes = [part.span for part in class_parts(parse(text))]
        again = [
            (at + each.span.start, at + each.span.end) for at, piece in pieces for each in class_parts(parse(piece))
        ]
        assert again == [(each.start, each.end) for each in of_classes]
        spans += of_classes
        functions = [each.span for each in find_functions(parse(text))]
        assert not any(each.overlaps(own) for each in spans for own in functions)
        seen += len(spans)
    assert seen > 100

"""Tests as programs end as pytest itself ends them, or are undecided."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

from codehunch.interpreter.program import Program
from codehunch.interpreter.trials import Verdict, attempt, trials_of
from codehunch.project import Project
from codehunch.syntax.sections import cut_at, section_starts

MAIN = '''
class Empty(Exception):
    """Nothing is there."""


class Late(ValueError):
    def __init__(self, days, *rest):
        super().__init__(f"{days} days", *rest)
        self.days = days

    def __str__(self):
        return f"late by {self.days}"


class Stack:
    def __init__(self, items=()):
        self.items = list(items)

    def push(self, item):
        self.items.append(item)
        return self

    def pop(self):
        if not self.items:
            raise Empty("nothing to pop")
        return self.items.pop()

    @property
    def size(self):
        return len(self.items)


def half(n):
    return n / 2


def letters(text):
    return {each for each in text if each.isalpha()}


def late(days):
    raise Late(days, "rest")


def checked(n):
    assert n > 0, "too small"
    return n


def to_do(n):
    raise NotImplementedError
'''

TESTS = """
import unittest
from unittest import TestCase

import pytest
from pytest import approx, raises

from stack import Empty, Late, Stack, checked, half, late, letters, to_do

ROWS = [(4, 2), (5, 2.5), pytest.param(6, 3, id="six")]


def test_push():
    stack = Stack().push(1)
    assert stack.size == 1
    assert stack.pop() == 1


def test_push_wrong():
    stack = Stack().push(1)
    assert stack.pop() == 2


def test_expected_first():
    assert 3 == half(4)


def test_truth():
    assert Stack().items


def test_error():
    with pytest.raises(Empty):
        Stack().pop()


def test_error_message():
    with raises(Empty, match="nothing"):
        Stack().pop()


def test_error_called():
    raises(Empty, Stack().pop)


def test_no_error():
    with raises((Empty, KeyError)):
        Stack([1]).pop()


def test_another_error():
    with raises(KeyError):
        Stack().pop()


def test_own_error():
    with raises(ValueError) as caught:
        late(3)
    assert caught.value.days == 3
    assert str(caught.value) == "late by 3"
    assert caught.value.args == ("3 days", "rest")


def test_own_error_escapes():
    late(2)


def test_close():
    assert half(0.3) == approx(0.15)
    assert [half(0.2), 1] == approx([0.1, 1.0])


def test_not_close():
    assert half(0.3) == approx(0.151, abs=1e-4)


def test_own_assertion():
    checked(-1)


def test_membership():
    assert "a" in letters("b")


@pytest.mark.parametrize("given, wanted", ROWS)
def test_rows(given, wanted):
    assert half(given) == wanted


@pytest.mark.parametrize("given", [2, 4])
@pytest.mark.parametrize(("wanted", "other"), [(1, 0), (2, 0)])
def test_products(given, wanted, other):
    assert half(given) >= other


@pytest.mark.parametrize("given", [2, 3])
def test_a_row_fails(given):
    assert half(given) == given // 2


class TestStack:
    size = 2

    def setup_method(self):
        self.stack = Stack(range(self.size))

    def test_size(self):
        assert self.stack.size == self.size

    def test_wrong(self):
        self.stack.push(1)
        assert self.stack.size == self.size

    @pytest.mark.parametrize("n", [1, 2])
    def test_grows(self, n):
        assert self.stack.push(n).size == 3


class StackCase(unittest.TestCase):
    def setUp(self):
        self.stack = Stack([1, 2])

    def test_equal(self):
        self.assertEqual(self.stack.pop(), 2)
        self.assertEqual(self.stack.items, [1])
        self.assertTrue(self.stack.items)
        self.assertIsNone(None)
        self.assertIn(1, self.stack.items)
        self.assertIsInstance(self.stack, Stack)
        self.assertAlmostEqual(half(0.2), 0.1)
        self.assertCountEqual(letters("ab"), ["b", "a"])
        with self.assertRaises(Empty):
            Stack().pop()
        for n in range(3):
            with self.subTest(n=n):
                self.assertGreaterEqual(half(2 * n), n)

    def test_unequal(self):
        self.assertEqual(self.stack.pop(), 1)

    def test_false(self):
        self.assertFalse(self.stack.items)

    def test_few(self):
        self.assertLess(self.stack.size, 2, "too many")


class Other(TestCase):
    def test_none(self):
        self.assertIsNotNone(Stack().items or None)


class Helper:
    def test_is_none(self):
        assert half(1)
"""

CONFTEST = """
import pytest
from stack import Stack

@pytest.fixture
def filled():
    return Stack([1, 2])

@pytest.fixture
def size():
    return 7
"""

FIXTURES = """
import pytest
from stack import Empty, Stack, half

@pytest.fixture
def empty():
    return Stack()

@pytest.fixture(scope="module")
def size():
    return 2

@pytest.fixture()
def larger(filled, size):
    yield filled.push(size)

@pytest.fixture
def broken(empty):
    return empty.pop()

def test_empty(empty):
    assert empty.size == 0

def test_of_the_folder(filled):
    assert filled.pop() == 2

def test_nearest(size):
    assert half(size) == 1

def test_nested(larger, filled):
    assert larger.items == [1, 2, 2]
    assert larger is filled

def test_made_anew(filled):
    assert filled.push(1).size == 3

def test_wrong(larger):
    assert larger.size == 2

@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 6])
def test_a_row_goes_first(size, empty):
    assert half(size) > 1 and empty.size == 0

@pytest.mark.parametrize("size", [4])
def test_a_row_goes_before_what_fixtures_need(larger, size):
    assert larger.pop() == half(8)

def test_broken(broken):
    assert half(broken)

class TestMethods:
    def test_there(self, filled):
        assert filled.size == 2

@pytest.fixture
def undone(filled):
    yield filled
    filled.items.clear()

@pytest.fixture(params=[1, 2])
def each(request):
    return request.param

@pytest.fixture
def one(other):
    return half(1)

@pytest.fixture
def other(one):
    return half(1)

def test_undone(undone):
    assert half(undone.size) == 1

def test_each(each):
    assert half(each)

@pytest.mark.parametrize("size", [1], indirect=True)
def test_indirect(size):
    assert half(size) == 1
"""

UNDECIDED = """
import pytest
from unittest import mock
from stack import *

pick = __import__("random").choice

@pytest.fixture
def stack(tmp_path):
    return Stack()

def test_files(tmp_path):
    assert Stack().size == tmp_path

def test_fixture(stack):
    assert Stack().size == stack

@mock.patch("stack.half")
def test_mock(half):
    assert half(2) == 1

@pytest.mark.skip
def test_skipped():
    assert half(2) == 3

@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.xfail)])
def test_marked(n):
    assert half(n) == 3

def test_random():
    assert half(pick([1])) == 1

def test_default(n=1):
    assert half(n) == 3

async def test_waits():
    assert half(2) == 3

def test_endless():
    while half(2):
        pass

@pytest.mark.parametrize("n", range(1000))
def test_many(n):
    assert half(n) == n / 2
"""


def _programs(tmp_path: Path, main: str, tests: str) -> tuple[Program, Program]:
    """A file as it is edited, and its tests; on the disk it is another."""
    (tmp_path / "stack.py").write_text("raise SystemExit\n", encoding="utf-8")
    (tmp_path / "test_stack.py").write_text(tests, encoding="utf-8")
    around = Project().around(tmp_path / "stack.py")
    assert around.modules is not None
    file = around.modules.at(str(tmp_path / "test_stack.py"))
    assert file is not None
    return Program([piece for _, piece in cut_at(main, list(section_starts(main)))], around.modules), file


def _verdicts(tmp_path: Path, main: str, tests: str) -> dict[str, Verdict]:
    program, file = _programs(tmp_path, main, tests)
    trials = list(trials_of(file, frozenset(["Stack", "half", "late", "letters", "checked"])))
    assert trials
    return {each.name: attempt(file, each, program) for each in trials}


def _by_pytest(tmp_path: Path, main: str, tests: str, conftest: str = "") -> Mapping[str, bool]:
    """What passes, by the names of the tests, without their rows."""
    folder = tmp_path / "really"
    folder.mkdir()
    (folder / "stack.py").write_text(main, encoding="utf-8")
    (folder / "test_stack.py").write_text(tests, encoding="utf-8")
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "--junitxml=found.xml"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    found: dict[str, bool] = {}
    for case in ElementTree.parse(folder / "found.xml").iter("testcase"):
        owner = case.attrib["classname"].partition(".")[2]
        name = case.attrib["name"].partition("[")[0]
        name = f"{owner}.{name}" if owner else name
        found[name] = found.get(name, True) and not list(case)
    return found


def test_they_end_as_pytest_says(tmp_path: Path) -> None:
    real = _by_pytest(tmp_path, MAIN, TESTS)
    ours = _verdicts(tmp_path, MAIN, TESTS)
    assert len(real) >= 25
    undecided = {name for name, each in ours.items() if not each.decided}
    assert undecided == {"Helper.test_is_none"}
    assert {name: each.passed for name, each in ours.items() if each.decided} == {
        name: passed for name, passed in real.items() if name not in undecided
    }


def test_fixtures_give_what_pytest_has_them_give(tmp_path: Path) -> None:
    real = _by_pytest(tmp_path, MAIN, FIXTURES, CONFTEST)
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    ours = _verdicts(tmp_path, MAIN, FIXTURES)
    undecided = {name for name, each in ours.items() if not each.decided}
    assert undecided == {"test_undone", "test_each", "test_indirect"}
    decided = {name: each.passed for name, each in ours.items() if each.decided}
    assert decided == {name: real[name] for name in decided}
    assert {name for name, passed in decided.items() if not passed} == {"test_wrong", "test_broken"}
    assert len(decided) == 10


def test_fixtures_that_need_each_other_are_undecided(tmp_path: Path) -> None:
    tests = f"{FIXTURES}\ndef test_each_other(one):\n    assert half(one)\n"
    assert _verdicts(tmp_path, MAIN, tests)["test_each_other"].undecided == "needs fixtures that need each other"


@pytest.mark.parametrize(
    ("name", "failure", "called", "raised"),
    [
        ("test_push_wrong", "`stack.pop()` gives 1, wanted 2", ("pop", "push", "Stack"), None),
        ("test_expected_first", "`half(4)` gives 2.0, wanted 3", ("half",), None),
        ("test_truth", "`Stack().items` gives [], wanted True", ("Stack",), None),
        ("test_no_error", "Empty or KeyError is not raised", (), None),
        ("test_another_error", "Empty is raised", (), ("Stack", 11)),
        ("test_own_error_escapes", "Late is raised", (), ("late", 2)),
        ("test_own_assertion", "AssertionError is raised", (), ("checked", 2)),
        ("test_membership", "`'a'` gives 'a', wanted in {'b'}", (), None),
        ("StackCase.test_unequal", "`self.stack.pop()` gives 2, wanted 1", ("pop",), None),
        ("test_not_close", "`half(0.3)` gives 0.15, wanted about 0.151", ("half",), None),
        ("StackCase.test_few", "`self.stack.size` gives 2, wanted < 2", (), None),
    ],
)
def test_what_fails_is_said(
    tmp_path: Path, name: str, failure: str, called: tuple[str, ...], raised: tuple[str, int] | None
) -> None:
    verdict = _verdicts(tmp_path, MAIN, TESTS)[name]
    assert (verdict.failure, verdict.called, verdict.raised) == (failure, called, raised)
    assert verdict.alone


def test_what_cannot_show_itself_fails_all_the_same(tmp_path: Path) -> None:
    main = "class Odd:\n    def __repr__(self):\n        return str(1 / 0)\ndef half(n):\n    return Odd()\n"
    tests = "from stack import half\ndef test_a():\n    assert half(2) == 1\n"
    verdict = _verdicts(tmp_path, main, tests)["test_a"]
    assert (verdict.error, verdict.failure) == ("AssertionError", "what it asserts does not hold")


def test_what_ran_is_known_by_definition_and_row(tmp_path: Path) -> None:
    ran = _verdicts(tmp_path, MAIN, TESTS)["test_push"].ran
    assert set(ran) == {"Stack"}
    rows = {MAIN[MAIN.index("class Stack") :].split("\n")[row - 1].strip() for row in ran["Stack"]}
    assert {"self.items.append(item)", "return self.items.pop()", "return len(self.items)"} <= rows
    assert 'raise Empty("nothing to pop")' not in rows


def test_what_needs_more_than_it_says_is_undecided(tmp_path: Path) -> None:
    found = _verdicts(tmp_path, MAIN, UNDECIDED)
    assert len(found) == 9
    assert {name for name, each in found.items() if each.decided} == set()


@pytest.mark.parametrize(
    "tests",
    [
        "from stack import half\ndef setup_module():\n    pass\ndef test_a():\n    assert half(2) == 3\n",
        "import pytest\nfrom stack import half\npytestmark = pytest.mark.skip\n"
        "def test_a():\n    assert half(2) == 3\n",
        "import pytest\nfrom stack import half\n@pytest.fixture(autouse=True)\ndef a():\n    pass\n"
        "def test_a():\n    assert half(2) == 3\n",
        "from stack import half\nclass TestA:\n    @classmethod\n    def setup_class(cls):\n        pass\n"
        "    def test_a(self):\n        assert half(2) == 3\n",
    ],
)
def test_what_is_set_up_elsewhere_is_no_test(tmp_path: Path, tests: str) -> None:
    _, file = _programs(tmp_path, MAIN, tests)
    assert list(trials_of(file, frozenset(["half"]))) == []


def test_the_order_of_sets_is_ours_to_turn(tmp_path: Path) -> None:
    tests = "from stack import letters\ndef test_order():\n    assert list(letters('ab'))[0] == 'a'\n"
    program, file = _programs(tmp_path, MAIN, tests)
    (trial,) = trials_of(file, frozenset(["letters"]))
    verdicts = [attempt(file, trial, program, backwards=each) for each in (False, True)]
    assert [each.passed for each in verdicts] == [True, False]

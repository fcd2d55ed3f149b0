"""Tests as programs: what a test function, or a method of a test class, comes to. Nothing is run but the interpreter.

A test that needs more than it says itself (fixtures, marks, mocks, files) is undecided.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from codehunch.interpreter.attributes import attribute
from codehunch.interpreter.calling import call
from codehunch.interpreter.class_statements import named
from codehunch.interpreter.classes import Class
from codehunch.interpreter.expressions import expression
from codehunch.interpreter.program import Program, parsed
from codehunch.interpreter.running import STEPS, Frame, Run, Undecided, Unmet, give_up
from codehunch.interpreter.testing_library import ROWS, TEST_CASE

_MOST_ROWS = 40
_LONGEST = 60
"""Characters of a value that is shown."""
_SET_UP = ("setup_method", "setUp", "setup")
_NEEDED_BEFORE = ("setUpClass", "setup_class", "setUpModule", "setup_module", "pytestmark", "asyncSetUp")
"""What a file or class has whose tests need more than they say."""


@attrs.frozen
class Trial:
    """A test of a file."""

    place: str
    """Of the file."""
    name: str
    """Of the function, or of the class and the method, with a dot between."""


@attrs.frozen(eq=False)
class Verdict:
    """How a test ended."""

    undecided: str = ""
    """Why the interpreter cannot say."""
    error: str = ""
    """The type of the error that it ended with; empty where it passed."""
    claim: str = ""
    """What was asserted something of, as text."""
    given: str = ""
    """What that was."""
    wanted: str = ""
    """What was to be said of it, such as ``== 4``."""
    ran: Mapping[str, frozenset[int]] = attrs.field(factory=dict)
    """Rows that ran of the definitions of the file that is tested, by their names."""
    steps: int = 0

    @property
    def decided(self) -> bool:
        return not self.undecided

    @property
    def passed(self) -> bool:
        return not self.undecided and not self.error


def trials_of(program: Program, words: frozenset[str]) -> Iterator[Trial]:
    """The tests of a file in whose text one of the words is."""
    if any(program.binds(each) for each in _NEEDED_BEFORE):
        return
    for text in program.statements:
        if "test" not in text.lower() or not any(each in text for each in words):
            continue
        for node in parsed(text):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                yield Trial(program.place, node.name)
            elif isinstance(node, ast.ClassDef) and not node.decorator_list:
                methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
                if not any(each.name in _NEEDED_BEFORE for each in methods):
                    tests = (each.name for each in methods if each.name.startswith("test"))
                    yield from (Trial(program.place, f"{node.name}.{each}") for each in tests)


def attempt(tests: Program, trial: Trial, main: Program, steps: int = STEPS, backwards: bool = False) -> Verdict:
    """What a test of ``tests`` says of ``main``, whatever text of that the disk has. See ``Run`` for ``backwards``."""
    run = Run(main, steps, backwards)
    try:
        for row in _rows(tests, trial, run):
            _once(tests, trial, run, row)
    except Undecided as reason:
        return Verdict(undecided=str(reason), steps=steps - run.left)
    except (RecursionError, MemoryError):
        return Verdict(undecided="needs more than a run may use", steps=steps - run.left)
    except Exception as error:
        return _failed(run, error, main, steps)
    finally:
        main.looked_up |= run.asked
    return Verdict(ran=main.ran(run), steps=steps - run.left)


def _failed(run: Run, error: Exception, main: Program, steps: int) -> Verdict:
    claim = given = wanted = ""
    unmet = run.unmet if isinstance(error, AssertionError) else None
    try:
        if unmet is not None:
            claim, given, wanted = _said(unmet)
    except Undecided:
        pass
    except (RecursionError, MemoryError):
        return Verdict(undecided="needs more than a run may use", steps=steps - run.left)
    return Verdict("", type(error).__name__, claim, given, wanted, main.ran(run), steps - run.left)


def _said(unmet: Unmet) -> tuple[str, str, str]:
    """What was asserted something of, what it was, and what was to be said of it."""
    node = unmet.node
    if isinstance(node, ast.Compare):
        node = node.left
    elif isinstance(node, ast.Call) and named(node.func).startswith("assert") and node.args:
        node = node.args[0]
    claim = ast.unparse(node) if isinstance(node, ast.expr) else ""
    return _short(claim), _short(repr(unmet.left)), f"{unmet.sign} {_short(repr(unmet.right))}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 3]}..."


def _once(tests: Program, trial: Trial, run: Run, row: Mapping[str, Any]) -> None:
    """Run a test, with the values of a row in the place of its parameters."""
    owner, _, name = trial.name.rpartition(".")
    if not owner:
        call(run, run.name(tests, name), (), row)
        return
    kind = run.name(tests, owner)
    if (
        not isinstance(kind, Class)
        or not (owner.startswith("Test") or TEST_CASE in kind.lineage)
        or any(kind.find(each, None) is not None for each in _NEEDED_BEFORE)
    ):
        give_up("is no class of tests")
    case = call(run, kind)
    for each in _SET_UP:
        if kind.find(each, None) is not None:
            call(run, attribute(run, case, each))
    call(run, attribute(run, case, name), (), row)


def _rows(tests: Program, trial: Trial, run: Run) -> Iterator[Mapping[str, Any]]:
    """The values of the parameters of a test, for each time it is run. Raises Undecided where others than it says
    itself take part in it."""
    node = _node(tests, trial)
    listed = node.args
    if listed.vararg or listed.kwarg or listed.posonlyargs or listed.kwonlyargs:
        give_up("is a test with other parameters")
    names = {each.arg for each in listed.args[1 if "." in trial.name else 0 :]}
    tables = [_table(tests, each, run) for each in node.decorator_list]
    if names != {name for parameters, _ in tables for name in parameters}:
        give_up("needs fixtures")
    rows = itertools.product(*(values for _, values in tables))
    for number, row in enumerate(rows):
        if number == _MOST_ROWS:
            give_up("has too many rows")
        found: dict[str, Any] = {}
        for (parameters, _), values in zip(tables, row, strict=True):
            found.update(zip(parameters, values, strict=True))
        yield found


def _node(tests: Program, trial: Trial) -> ast.FunctionDef:
    """The definition of a test. Raises Undecided where there is not one."""
    owner, _, name = trial.name.rpartition(".")
    found = [
        node
        for text in tests.bound(tests.place, owner or name)
        for outer in parsed(text)
        for node in (outer.body if owner and isinstance(outer, ast.ClassDef) else [outer])
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return found[0] if len(found) == 1 else give_up("is not one test")


def _table(tests: Program, decorator: ast.expr, run: Run) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """Parameters and their values, as ``parametrize`` gives them."""
    frame = Frame(run, tests, None, {})
    given = decorator.args if isinstance(decorator, ast.Call) else []
    if not isinstance(decorator, ast.Call) or len(given) != 2 or expression(decorator.func, None)(frame) is not ROWS:
        give_up("is a test of another kind")
    names, values = (expression(each, None)(frame) for each in given)
    parameters = [each.strip() for each in names.split(",") if each.strip()] if isinstance(names, str) else list(names)
    rows = run.listed(values)
    if isinstance(names, str) and len(parameters) == 1:
        rows = [(each,) for each in rows]
    if any(not isinstance(each, tuple | list) or len(each) != len(parameters) for each in rows):
        give_up("has rows of another length")
    return parameters, rows

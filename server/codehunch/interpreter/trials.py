"""Tests as programs: what a test function, or a method of a test class, comes to. Nothing is run but the interpreter.

A test that needs more than it says itself (fixtures, marks, mocks, files) is undecided.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs

from codehunch.interpreter.attributes import attribute
from codehunch.interpreter.calling import call
from codehunch.interpreter.class_statements import named
from codehunch.interpreter.classes import Class
from codehunch.interpreter.expressions import expression
from codehunch.interpreter.file_statements import parsed
from codehunch.interpreter.fixtures import fixtures
from codehunch.interpreter.program import Program
from codehunch.interpreter.running import STEPS, Frame, Run, Undecided, Unmet, give_up
from codehunch.interpreter.testing_library import PLAIN_MARKS, ROWS, TEST_CASE

_MOST_ROWS = 40
_LONGEST = 60
"""Characters of a value that is shown."""
_PLAIN_MARKS = {f"pytest.mark.{name}" for name in PLAIN_MARKS}
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
    failure: str = ""
    """What does not hold, in words that follow its name."""
    raised: tuple[str, int] | None = None
    """The definition of the file that is tested, and the row in it, where an error came from."""
    called: tuple[str, ...] = ()
    """Functions and methods that what was asserted something of is made by, the last first."""
    result: str = ""
    """What that was to be, as a literal, where it was to be equal to something."""
    alone: bool = True
    """Whether nothing ran but the test and the file that is tested."""
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
    """The tests of a file that may be about what has one of these names: they say it, or take something."""
    if any(program.binds(each) for each in _NEEDED_BEFORE) or any("autouse" in each for each in program.statements):
        return
    for text in program.statements:
        if "test" in text.lower():
            said = any(each in text for each in words)
            yield from (Trial(program.place, name) for name, takes in _tests_in(text) if said or takes)


@lru_cache(4096)
def _tests_in(text: str) -> tuple[tuple[str, bool], ...]:
    """The tests that a statement of a file defines, each with whether it takes something."""
    found: list[tuple[str, bool]] = []
    for node in parsed(text):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            found.append((node.name, bool(node.args.args)))
        elif isinstance(node, ast.ClassDef) and not node.decorator_list:
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            if not any(each.name in _NEEDED_BEFORE for each in methods):
                tests = (each for each in methods if each.name.startswith("test"))
                found += [(f"{node.name}.{each.name}", len(each.args.args) > 1) for each in tests]
    return tuple(found)


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
        return _failed(run, error, (tests, trial, main), steps)
    finally:
        main.looked_up |= run.asked
    return Verdict(ran=main.ran(run), steps=steps - run.left)


def _failed(run: Run, error: Exception, ran: tuple[Program, Trial, Program], steps: int) -> Verdict:
    tests, trial, main = ran
    kind = type(error).__name__
    verdict = Verdict(
        error=kind,
        failure=f"{kind} is raised",
        alone=all(tests.placed(row) or main.placed(row) for row in run.lines),
        ran=main.ran(run),
        steps=steps - run.left,
    )
    unmet = run.unmet if isinstance(error, AssertionError) else None
    if unmet is None:
        raised = main.placed(run.row) if not isinstance(error, AssertionError) else None
        return attrs.evolve(verdict, raised=raised)
    if unmet.row and main.placed(unmet.row):
        return attrs.evolve(verdict, raised=main.placed(unmet.row))
    try:
        return _said(verdict, unmet, _node(tests, trial))
    except Undecided as reason:
        return Verdict(undecided=str(reason), steps=steps - run.left)
    except (RecursionError, MemoryError):
        return Verdict(undecided="needs more than a run may use", steps=steps - run.left)
    except Exception:  # What it is about cannot show itself.
        return attrs.evolve(verdict, failure="what it asserts does not hold")


def _said(verdict: Verdict, unmet: Unmet, test: ast.FunctionDef) -> Verdict:
    """With what was asserted, and of what."""
    left, right, sign = unmet.left, unmet.right, unmet.sign
    if sign == "raises":
        kinds = right if isinstance(right, tuple) else (right,)
        return attrs.evolve(verdict, failure=f"{' or '.join(each.__name__ for each in kinds)} is not raised")
    sides = _sides(unmet.node)
    if len(sides) == 2 and sign == "==" and _is_shown(sides[0]) and not _is_shown(sides[1]):
        left, right, sides = right, left, [sides[1]]
    about = sides[0] if sides else None
    claim = f"`{_short(ast.unparse(about))}` gives " if about is not None else "it gives "
    wanted = f"{sign} {_short(repr(right))}" if sign not in ("==", "is") else _short(repr(right))
    return attrs.evolve(
        verdict,
        failure=f"{claim}{_short(repr(left))}, wanted {wanted}",
        called=_called(about, test),
        result=repr(right) if sign in ("==", "is") else "",
    )


def _sides(node: ast.AST | None) -> list[ast.expr]:
    """What an assertion compares."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and named(node.func).rpartition(".")[2].startswith("assert"):
        return node.args[:2]
    return [node] if isinstance(node, ast.expr) else []


def _is_shown(node: ast.expr) -> bool:
    """Whether an expression is what is wanted rather than what is given."""
    return isinstance(node, ast.Constant) or not any(isinstance(each, ast.Name) for each in ast.walk(node))


def _called(node: ast.expr | None, test: ast.FunctionDef) -> tuple[str, ...]:
    """What an expression calls, the outermost first, and what those called whose results it has by name."""
    if node is None:
        return ()
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    given = [
        each.value
        for each in ast.walk(test)
        if isinstance(each, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in each.targets)
    ]
    calls = (each for part in (node, *reversed(given)) for each in ast.walk(part) if isinstance(each, ast.Call))
    return tuple(dict.fromkeys(filter(None, map(named, calls))))


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
    tables = [_table(tests, each, run) for each in node.decorator_list if not _is_plain_mark(each)]
    needed = names - {name for parameters, _ in tables for name in parameters}
    if any(name not in names for parameters, _ in tables for name in parameters):
        give_up("has rows of values that nothing takes")
    rows = itertools.product(*(values for _, values in tables))
    for number, row in enumerate(rows):
        if number == _MOST_ROWS:
            give_up("has too many rows")
        found: dict[str, Any] = {}
        for (parameters, _), values in zip(tables, row, strict=True):
            found.update(zip(parameters, values, strict=True))
        yield {**found, **fixtures(run, tests, sorted(needed), found)}


def _node(tests: Program, trial: Trial) -> ast.FunctionDef:
    """The definition of a test. Raises Undecided where there is not one."""
    owner, _, name = trial.name.rpartition(".")
    found = [
        each for text in tests.bound(tests.place, owner or name) for each in _nodes(text, owner) if each.name == name
    ]
    return found[0] if len(found) == 1 else give_up("is not one test")


@lru_cache(256)
def _nodes(text: str, owner: str) -> tuple[ast.FunctionDef, ...]:
    """The functions of a statement of a file, or the methods of its class."""
    outer = parsed(text)
    nodes = [inner for each in outer if isinstance(each, ast.ClassDef) for inner in each.body] if owner else outer
    return tuple(each for each in nodes if isinstance(each, ast.FunctionDef))


def _is_plain_mark(decorator: ast.expr) -> bool:
    """Whether a mark only says what sort of test it is."""
    return ast.unparse(decorator) in _PLAIN_MARKS


def _table(tests: Program, decorator: ast.expr, run: Run) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """Parameters and their values, as ``parametrize`` gives them."""
    frame = Frame(run, tests, None, {})
    given = decorator.args if isinstance(decorator, ast.Call) else []
    if (
        not isinstance(decorator, ast.Call)
        or len(given) != 2
        or any(each.arg != "ids" for each in decorator.keywords)
        or expression(decorator.func, None)(frame) is not ROWS
    ):
        give_up("is a test of another kind")
    names, values = (expression(each, None)(frame) for each in given)
    parameters = [each.strip() for each in names.split(",") if each.strip()] if isinstance(names, str) else list(names)
    rows = run.listed(values)
    if isinstance(names, str) and len(parameters) == 1:
        rows = [(each,) for each in rows]
    if any(not isinstance(each, tuple | list) or len(each) != len(parameters) for each in rows):
        give_up("has rows of another length")
    return parameters, rows

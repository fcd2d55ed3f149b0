"""Fixtures of pytest that are functions of the project: what they give is made anew for each test."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codehunch.interpreter.calling import call
from codehunch.interpreter.class_statements import named
from codehunch.interpreter.file_statements import parsed
from codehunch.interpreter.program import Program
from codehunch.interpreter.running import Run, give_up

_FOLDERS = 8
"""Further out nobody looks for fixtures."""
_WITHOUT_EFFECT = {"scope", "ids"}
"""What a fixture can be told that does not change what one test gets."""


def fixtures(run: Run, tests: Program, names: Iterable[str], row: Mapping[str, Any]) -> dict[str, Any]:
    """What fixtures give to one test of a file, each made once; ``row`` goes before them.

    Raises Undecided where that is not known, and what they raise themselves.
    """
    made = dict(row)
    return {name: _value(run, tests, name, made) for name in names}


def _value(run: Run, tests: Program, name: str, made: dict[str, Any], asking: tuple[str, ...] = ()) -> Any:
    if name not in made:
        if name in asking:
            give_up("needs fixtures that need each other")
        made[name] = _made(run, tests, name, made, (*asking, name))
    return made[name]


def _made(run: Run, tests: Program, name: str, made: dict[str, Any], asking: tuple[str, ...]) -> Any:
    for file in _files(tests, run, name):
        node = _definition(file, name)
        if node is None:
            continue
        given = node.args
        if given.vararg or given.kwarg or given.posonlyargs or given.kwonlyargs or given.defaults:
            give_up("needs a fixture of another kind")
        words = {each.arg: _value(run, tests, each.arg, made, asking) for each in given.args}
        value = call(run, run.name(file, name), (), words)
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node)):
            # What follows is done after the test: here all of it would run before.
            last = node.body[-1]
            if not isinstance(last, ast.Expr) or not isinstance(last.value, ast.Yield):
                give_up("needs a fixture that takes itself down")
            (value,) = run.listed(value)
        return value
    return give_up("needs fixtures")


def _files(tests: Program, run: Run, name: str) -> Iterator[Program]:
    """The files that a fixture may be in, the nearest first."""
    run.asked.add((tests.place, name))
    yield tests
    folder = os.path.dirname(tests.place)
    for _ in range(_FOLDERS):
        place = os.path.join(folder, "conftest.py")
        run.asked.add((place, name))
        found = tests.at(place)
        if found is not None:
            yield found
        folder = os.path.dirname(folder)


def _definition(file: Program, name: str) -> ast.FunctionDef | None:
    """The function that a fixture is, where the file has it. Raises Undecided where it is of another kind."""
    for text in file.bound(file.place, name):
        for node in parsed(text):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                if [named(each) for each in node.decorator_list] != ["fixture"]:
                    give_up("needs a fixture of another kind")
                (decorator,) = node.decorator_list
                if isinstance(decorator, ast.Call) and (
                    decorator.args or any(each.arg not in _WITHOUT_EFFECT for each in decorator.keywords)
                ):
                    give_up("needs a fixture of another kind")
                return node
    return None

"""A file as a program: its functions can be called, on values of Python's own, and nothing else of it runs.

The interpreter walks the syntax tree. What a function does is computed with Python's own numbers, texts, lists, dicts
and sets, by operations that are listed in this room and that are paid for; there is no way from a program to a file, a
process, a module that is not listed, or the interpreter itself. What it does not know, it does not guess: the run ends
undecided.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from codehunch.interpreter.around import Modules
from codehunch.interpreter.calling import Function, call
from codehunch.interpreter.classes import Class, Instance
from codehunch.interpreter.expressions import expression
from codehunch.interpreter.file_statements import binds, changes, has_definition, is_named, parsed, words_of
from codehunch.interpreter.library import everything_of, imported, is_of_python
from codehunch.interpreter.names import Thunk
from codehunch.interpreter.running import STEPS, Dispatching, Frame, Run, Undecided, give_up
from codehunch.interpreter.statements import class_made, function

_OVERLOAD = re.compile(r"\s*@(?:\w+\.)?overload\b")
_CONTAINERS = (list, dict, set, deque)
_CHANGEABLE = (*_CONTAINERS, Class, Instance)
_EVERYTHING = "*"
_DEEPEST = 50
"""Values within values that are looked into."""
_ROWS = 1 << 20
_BASES = itertools.count(_ROWS, _ROWS)
"""Each definition that is compiled counts its rows from another number."""
_MOST_FILES = 40
"""Files that one run may ask."""


@attrs.frozen(eq=False)
class Outcome:
    """How a call ended: with a value, with an error of the program, or undecided."""

    value: Any = None
    error: str = ""
    """The type of the error, such as ``IndexError``."""
    undecided: str = ""
    """Why the interpreter cannot say."""
    lines: frozenset[int] = frozenset()
    """Rows of its statements that ran, from 1, in the text that defines it."""
    steps: int = 0

    @property
    def decided(self) -> bool:
        return not self.undecided


class Program:
    """The functions and constants of a file. Raises nothing: what cannot be read is undecided where it is used."""

    def __init__(self, statements: Sequence[str], modules: Modules | None = None) -> None:
        """``statements`` are the texts of the statements outside of everything, in their order; ``modules`` what they
        import of the project."""
        self._statements, self._modules = statements, modules
        self._thunks: dict[str, Thunk | str] = {}
        self._bases: dict[str, int] = {}
        """Where the rows of a definition are counted from."""
        self._defined: Mapping[str, list[int]] | None = None
        self._touched: frozenset[str] = frozenset()
        self.place = modules.place if modules is not None else ""
        self.looked_up: set[tuple[str, str]] = set()
        """Places of files, and names in them, that runs of this program, and of those that replace a function of it,
        have asked for."""

    def replaced(self, name: str, text: str) -> Program:
        """The same with another text for the function of this name."""
        other = Program(self._statements, self._modules)
        other.looked_up = self.looked_up
        other._thunks, other._bases = self._thunks.copy(), self._bases.copy()
        other._defined, other._touched = self._definitions(), self._touched
        other._thunks[name] = other._thunk_of(text, name)
        return other

    def ran(self, run: Run) -> dict[str, frozenset[int]]:
        """The rows that ran of each definition of this file, from 1, by its name."""
        rows: dict[int, list[int]] = {}
        for row in run.lines:
            rows.setdefault(row // _ROWS * _ROWS, []).append(row % _ROWS)
        return {name: frozenset(rows[base]) for name, base in self._bases.items() if base in rows}

    def placed(self, row: int) -> tuple[str, int] | None:
        """The definition of this file that a row of a run belongs to, and its row there, from 1."""
        base = row // _ROWS * _ROWS
        return next(((name, row - base) for name, own in self._bases.items() if own == base), None)

    def call(self, name: str, arguments: Sequence[Any], steps: int = STEPS, backwards: bool = False) -> Outcome:
        """What a function of the file gives for these values, one for each parameter but starred ones.

        They are copied: the function may change them. See ``Run`` for ``backwards``.
        """
        run = Run(self, steps, backwards)
        try:
            return self._outcome(run, name, copy.deepcopy(list(arguments)), steps)
        finally:
            self.looked_up |= run.asked

    def _outcome(self, run: Run, name: str, given: list[Any], steps: int) -> Outcome:
        try:
            called = run.name(self, name)
            if not isinstance(called, Function):
                give_up("is no function")
            count = len(called.shape.positions)
            if len(given) != count + len(called.shape.only_names):
                give_up("takes other arguments")
            words = dict(zip(called.shape.only_names, given[count:], strict=True))
            value = call(run, called, given[:count], words)
            run.weigh(value)
            if run.prints:
                give_up("prints")
            if any(_traced(each) != before for each, before in run.held):
                give_up("changes a value of the file")
        except Undecided as reason:
            return Outcome(undecided=str(reason))
        except (RecursionError, MemoryError):
            return Outcome(undecided="needs more than a run may use")
        except KeyError as error:
            if name not in self._definitions():
                return Outcome(undecided="is not in the file")
            return self._ended(run, steps, name, error=type(error).__name__)
        except Exception as error:
            return self._ended(run, steps, name, error=type(error).__name__)
        return self._ended(run, steps, name, value)

    def _ended(self, run: Run, steps: int, name: str, value: Any = None, error: str = "") -> Outcome:
        return Outcome(value, error, lines=self.ran(run).get(name, frozenset()), steps=steps - run.left)

    def value(self, name: str, run: Run) -> Any:
        """See ``Names``."""
        run.asked.add((self.place, name))
        if name not in self._thunks:
            places = self._definitions().get(name)
            if not places:
                return self._brought(name, run)
            # Heads for type checkers come before the function itself.
            *others, last = (self._statements[each] for each in places)
            if all(map(_OVERLOAD.match, others)):
                self._thunks[name] = self._thunk_of(last, name)
            else:
                self._thunks[name] = f"`{name}` is defined more than once"
        thunk = self._thunks[name]
        if isinstance(thunk, str):
            give_up(thunk)
        found = thunk(Frame(run, self, None, {}))
        if hasattr(found, "__next__") and not isinstance(found, Dispatching):
            give_up(f"`{name}` is used up")
        if isinstance(found, _CHANGEABLE):
            if name in self._touched or any(
                name in text and changes(text, name, isinstance(found, _CONTAINERS)) for text in self._statements
            ):
                give_up(f"the file may change `{name}`")
            run.weigh(found)
            run.held.append((found, _traced(found)))
        return found

    def _thunk_of(self, text: str, name: str) -> Thunk | str:
        """What gives the value of a name that a statement binds, or why nobody can say."""
        try:
            for statement in parsed(text):
                if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
                    self._bases[name] = base = next(_BASES)
                    _count_from(base, statement)
                    return (
                        class_made(statement, None)
                        if isinstance(statement, ast.ClassDef)
                        else function(statement, None)
                    )
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    found = imported(statement)
                    if name in found:
                        return found[name]
                if isinstance(statement, ast.Assign) and any(is_named(each, name) for each in statement.targets):
                    return expression(statement.value, None)
                if isinstance(statement, ast.AnnAssign) and statement.value and is_named(statement.target, name):
                    return expression(statement.value, None)
        except Undecided as reason:
            return str(reason)
        except RecursionError:
            return "is nested too deeply"
        return f"`{name}` is not known"

    def module(self, name: str, level: int, run: Run) -> Program | None:
        """See ``Names``."""
        run.asked.add((self.place, f"{'.' * level} {name}"))
        if len({place for place, _ in run.asked}) > _MOST_FILES:
            give_up("reads too many files")
        return self._as_it_is(self._imported(name, level), run)

    def at(self, place: str) -> Program | None:
        """The file of the project at a place."""
        return self._modules.at(place) if self._modules is not None else None

    def submodule(self, name: str, run: Run) -> Program | None:
        """See ``Names``."""
        return self._as_it_is(self._modules.submodule(name) if self._modules is not None else None, run)

    def _imported(self, name: str, level: int) -> Program | None:
        return self._modules.imported(name, level) if self._modules is not None else None

    def _as_it_is(self, found: Program | None, run: Run) -> Program | None:
        """What is edited is not what lies on the disk."""
        main = run.main
        return main if found is not None and isinstance(main, Program) and found.place == main.place else found

    def _brought(self, name: str, run: Run) -> Any:
        """What an import of everything brings. Raises KeyError, Undecided."""
        for place in reversed(self._definitions().get(_EVERYTHING, ())):
            for node in parsed(self._statements[place]):
                if not isinstance(node, ast.ImportFrom):
                    give_up("imports everything, perhaps")
                module, level = node.module or "", node.level
                if is_of_python(module, level):
                    known = everything_of(module)
                    if known is None:
                        give_up("imports everything")
                    if name in known:
                        return known[name]
                    continue
                file = self.module(module, level, run)
                if file is None:
                    give_up("imports everything")
                if file.passes_on(name):
                    try:
                        return run.name(file, name)
                    except KeyError:
                        continue
        raise KeyError(name)

    def passes_on(self, name: str) -> bool:
        """Whether an import of everything brings a name of this file, if it has it. Raises Undecided."""
        places = self._definitions().get("__all__")
        if not places:
            return not name.startswith("_")
        try:
            (statement,) = (each for place in places for each in parsed(self._statements[place]))
            return name in ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except (ValueError, TypeError, AttributeError, SyntaxError, MemoryError, RecursionError):
            return give_up("passes on what it computes")

    def _reached(self, touched: set[str], defined: Mapping[str, list[int]]) -> set[str]:
        """Names that may be changed when the file is read: what is called there may change what it names."""
        waiting, found = list(touched), set(touched)
        while waiting:
            for place in defined.get(waiting.pop(), ()):
                if has_definition(self._statements[place]):
                    named = words_of(self._statements[place]) & defined.keys()
                    waiting += named - found
                    found |= named
        return found

    @property
    def statements(self) -> Sequence[str]:
        """The texts that it is made of."""
        return self._statements

    def binds(self, name: str) -> bool:
        """Whether a statement of the file binds a name."""
        return name in self._definitions()

    def bound(self, place: str, name: str) -> Sequence[str]:
        """What a name in the file at a place comes from, one of ``looked_up``: the statements that bind it, and a mark
        where others may change its value. Equal texts, equal values."""
        if place != self.place:
            other = self.at(place)
            return other.bound(place, name) if other is not None else ["gone"]
        if " " in name:
            dots, _, module = name.partition(" ")
            found = self._imported(module, len(dots))
            return [found.place] if found is not None else []
        defined = self._definitions()
        places = defined.get(name) or defined.get(_EVERYTHING) or []
        return [*(self._statements[each] for each in places), *(["touched"] if name in self._touched else [])]

    def _definitions(self) -> Mapping[str, list[int]]:
        if self._defined is None:
            defined: dict[str, list[int]] = {}
            touched: set[str] = set()
            for number, text in enumerate(self._statements):
                names, used = binds(text)
                touched.update(used)
                for name in names:
                    defined.setdefault(name, []).append(number)
            self._defined, self._touched = defined, frozenset(self._reached(touched, defined))
        return self._defined


def _traced(value: Any, within: tuple[int, ...] = ()) -> str:
    """A value as a text that tells whether it has changed."""
    if isinstance(value, bool | int | float | str | bytes | None):
        return repr(value)
    if id(value) in within or len(within) > _DEEPEST:
        return str(id(value))
    trace = partial(_traced, within=(*within, id(value)))
    if isinstance(value, dict):
        return f"{{{','.join(f'{trace(key)}:{trace(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple | deque):
        return f"[{','.join(map(trace, value))}]"
    if isinstance(value, set | frozenset):
        return f"<{','.join(sorted(map(trace, value)))}>"
    if isinstance(value, Instance):
        return f"{trace(value.kind)}({trace(value.values)})"
    return trace(value.members) if isinstance(value, Class) else str(id(value))


def _count_from(base: int, definition: ast.stmt) -> None:
    """Number the rows of the statements of a definition from there on."""
    waiting: list[Any] = [definition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            node.lineno += base
        for part in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, part, ())
            waiting.extend(inner if isinstance(inner, list) else ())

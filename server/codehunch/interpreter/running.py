"""What a run may use and what it knows: its effort, its names, and the end where the interpreter cannot say.

Everything that a program could use to take long or to fill the memory is paid for here, before it is done.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol

STEPS = 50_000
"""Effort of a run that nobody limits further: about as many statements, or items that something goes through."""
MOST_ITEMS = 20_000
"""Items or characters of one value."""
MOST_BITS = 20_000
"""Of one int."""
_DEEPEST = 50
"""Calls within calls: each takes about a dozen of the frames that Python itself allows for."""
_PER_STEP = 16
"""Items that the machine itself goes through in the time of a step."""
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_SIZED = (str, bytes, *_CONTAINERS)


class Undecided(BaseException):
    """The interpreter cannot say what the program does: it is too long, or uses what is not known here.

    Not an ``Exception``: no program that is interpreted can catch it.
    """


def give_up(reason: str) -> NoReturn:
    """Raises Undecided."""
    raise Undecided(reason)


class Dispatching:
    """A value whose operators are the program's own."""

    __slots__ = ()


class Names(Protocol):
    """What the file around a function defines."""

    def value(self, name: str, run: Run) -> Any:
        """The value of a name of the file. Raises KeyError where the file has none, Undecided where that is open."""

    def module(self, name: str, level: int, run: Run) -> Names | None:
        """The file that is imported under a name, ``level`` dots before it; ``None`` where that is none of the
        project. Raises Undecided."""

    def submodule(self, name: str, run: Run) -> Names | None:
        """A file of the package whose ``__init__`` this is, likewise."""


class Unmet:
    """What an assertion was about that does not hold."""

    __slots__ = ("left", "node", "right", "row", "sign")

    def __init__(self, left: Any, right: Any, sign: str, node: Any = None) -> None:
        self.left, self.right, self.sign, self.node = left, right, sign, node
        self.row = 0
        """Of the statement that says so, see ``Run.lines``; 0 where none does."""


class Run:
    """One call of a function from outside, with everything that it leads to."""

    __slots__ = ("_depth", "_globals", "asked", "backwards", "held", "left", "lines", "main", "prints", "row", "unmet")

    def __init__(self, main: Names, steps: int = STEPS, backwards: bool = False) -> None:
        """``main`` is the file as it is now, whatever the disk says. ``backwards`` goes through sets the other way
        round: who depends on their order depends on chance."""
        self.main, self.left, self.backwards = main, steps, backwards
        self.lines: set[int] = set()
        """Rows of the statements that ran, each file's statements counted from a number of their own."""
        self.row = 0
        """That of the last statement that ran, likewise."""
        self.unmet: Unmet | None = None
        """What the last assertion was about that did not hold."""
        self.prints = False
        """Whether anything is printed: what it gives is then not all it does."""
        self.held: list[tuple[Any, str]] = []
        """Values of the file that can change, each as it was."""
        self.asked: set[tuple[str, str]] = set()
        """Files, and names of theirs, that bore on it."""
        self._globals: dict[tuple[Names, str], Any] = {}
        self._depth = 0

    def fail(self, unmet: Unmet | None) -> NoReturn:
        """An assertion does not hold. Raises AssertionError."""
        self.unmet = unmet
        raise AssertionError

    def tick(self, steps: int = 1) -> None:
        """Pay for what is done next. Raises Undecided."""
        self.left -= steps
        if self.left < 0:
            give_up("takes too long")

    def charge(self, items: int) -> None:
        """Pay for what the machine does to so many items at once. Raises Undecided."""
        self.tick(1 + items // _PER_STEP)

    def weigh(self, value: Any) -> None:
        """Pay for going through a value all the way down, as comparing and showing it do. Raises Undecided."""
        if not isinstance(value, _CONTAINERS):
            if isinstance(value, str | bytes):
                self.charge(len(value))
            return
        waiting: list[Any] = [value]
        seen = 0
        while waiting:
            each = waiting.pop()
            seen += 1
            if seen > MOST_ITEMS:
                give_up("a value is too large")
            if isinstance(each, dict):
                waiting.extend(each)
                waiting.extend(each.values())
            elif isinstance(each, _CONTAINERS):
                waiting.extend(each)
        self.charge(seen)

    def shallow(self, value: Any) -> None:
        """Pay for hashing a value. Nothing keeps Python from running out of its stack at a tuple that is nested deeply,
        nor from taking for ever at one that holds the same one twice, and so on. Raises Undecided."""
        if type(value) is not tuple:
            return
        level, depth = [value], 0
        while level:
            level = [inner for each in level for inner in each if type(inner) is tuple]
            depth += 1
            if depth > _DEEPEST or len(level) > MOST_ITEMS:
                give_up("a tuple is nested too deeply")
            self.charge(len(level))

    def sized(self, value: Any) -> Any:
        """The value, if it is not too large. Raises Undecided."""
        if isinstance(value, int):
            if value.bit_length() > MOST_BITS:
                give_up("a number is too large")
        elif isinstance(value, _SIZED):
            if len(value) > MOST_ITEMS:
                give_up("a value is too large")
            self.charge(len(value))
        return value

    def items(self, value: Any) -> Iterator[Any]:
        """Go through a value, paying for each item. Raises TypeError as Python does, and Undecided."""
        for item in self.ordered(value):
            self.tick()
            yield item

    def ordered(self, value: Any) -> Iterator[Any]:
        """Go through a value; through a set in an order of our own."""
        if isinstance(value, set | frozenset) and len(value) > 1:
            self.weigh(value)
            return iter(sorted(value, key=repr, reverse=self.backwards))
        return iter(value)

    def listed(self, value: Any) -> list[Any]:
        """All items. Raises TypeError as Python does, and Undecided where they are too many."""
        if isinstance(value, list | tuple):
            self.charge(len(value))
            return list(value)
        found = list(itertools.islice(self.items(value), MOST_ITEMS + 1))
        return self.sized(found)  # type: ignore[no-any-return]

    def name(self, names: Names, name: str) -> Any:
        """The value of a name of a file. Raises KeyError, Undecided."""
        key = names, name
        if key not in self._globals:
            self._globals[key] = names.value(name, self)
        return self._globals[key]

    def within(self, call: Callable[[], Any]) -> Any:
        """The result of a call one level further down. Raises Undecided."""
        self.tick()
        if self._depth >= _DEEPEST:
            give_up("calls itself too often")
        self._depth += 1
        try:
            return call()
        finally:
            self._depth -= 1


class Frame:
    """The names of one call, or of one comprehension."""

    __slots__ = ("names", "outer", "run", "values", "yielded")

    def __init__(self, run: Run, names: Names, outer: Frame | None, values: dict[str, Any]) -> None:
        self.run, self.names, self.outer, self.values = run, names, outer, values
        self.yielded: list[Any] | None = None
        """What a generator has given so far."""

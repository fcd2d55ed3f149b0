"""Comprehensions: what can be said of each item of something, and what comes of saying it of all.

The items of all examples make up a bank of their own, in which an expression has a value for each item. Where it is
plain what an item should become, or whether it should stay, that is what is looked for (deduction for higher-order
functions; Feser, Chaudhuri and Dillig 2015).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from codehunch.synthesis.bank import Bank, Expression, Meter, leaf
from codehunch.synthesis.branches import conditional
from codehunch.synthesis.forms import FIRST, ITEM, SECOND, Form
from codehunch.synthesis.operations import Operation
from codehunch.synthesis.values import FAILED, same

LOOPED = re.compile(
    r"""[a-z]\w*\Z|_0\.split|range|zip|enumerate|itertools|_0\.(?:items|values|keys)|str\(_0\)|sorted\(|
    list\(dict|\[_?\w+ for|\[list|_0\[1:\]|_0\[::-1\]|\[int|_0\[[_01-]+\]|_0\.(?:lower|upper|replace)""",
    re.VERBOSE,
)
"""How things are written that are worth going through; what else is a sequence is one of these with little changed."""
MOST_ITEMS = 120
"""Of all examples together."""


_SAYS = {"value": "any", "test": "bool", "order": "ordered", "number": "num", "text": "str"}


class Loop:
    """Everything said of the items of ``source``."""

    def __init__(
        self,
        source: Expression,
        outer: Sequence[Expression],
        forms: Sequence[tuple[Form, int]],
        costs: Sequence[tuple[Operation, int]],
        meter: Meter,
    ) -> None:
        self.source = source
        self._groups = [list(value) for value in source.values]
        self.sizes = [len(group) for group in self._groups]
        items = [item for group in self._groups for item in group]
        self._paired = source.kind[0] == "R" and all(isinstance(item, tuple) and len(item) == 2 for item in items)
        self._forms = [(form, cost) for form, cost in forms if form.pairs or not self._paired]
        if self._paired:
            leaves = [leaf(name, [item[at] for item in items], 1, True) for at, name in enumerate((FIRST, SECOND))]
        else:
            leaves = [leaf(ITEM, items, 1, True)]
        self._bank = Bank(leaves, costs, meter)
        self.know(outer)
        self._meter = meter
        self._pending: list[tuple[Expression, list[bool]]] = []

    def know(self, outer: Sequence[Expression]) -> None:
        """What is the same for all items of an example may be used from now on."""
        cost = len(self._bank.levels)
        self._bank.leaves += [
            attrs.evolve(each, values=tuple(self._spread(each.values)), cost=max(cost, each.cost))
            for each in outer
            if each is not self.source
        ]

    def _spread(self, values: Sequence[Any]) -> Iterator[Any]:
        for value, size in zip(values, self.sizes, strict=True):
            yield from [value] * size

    def level(self, cost: int) -> list[Expression]:
        """What can be said at a cost."""
        while len(self._bank.levels) <= cost:
            for _ in self._bank.grow():
                pass
        return self._bank.levels[cost]

    def grown(self, cost: int) -> Iterator[tuple[Form, tuple[Expression, ...], list[Any]]]:
        """Comprehensions of exactly this cost: how, of what, and their values."""
        rest = cost - self.source.cost
        for form, own in self._forms:
            said = rest - own
            if form.says == "both":
                for tests in range(3, said):
                    self.level(max(tests, said - tests))
                    pairs = (
                        (value, test)
                        for value in self._bank.usable(said - tests, "any")
                        for test in self._bank.usable(tests, "bool")
                        if _speaks(value) and _speaks(test)
                    )
                    for value, test in pairs:
                        yield from self._made(form, (value, test))
            elif said >= 1:
                self.level(said)
                for each in self._bank.usable(said, _SAYS[form.says]):
                    if _speaks(each) and each.template != ITEM:
                        yield from self._made(form, (each,))

    def _made(
        self, form: Form, parts: tuple[Expression, ...]
    ) -> Iterator[tuple[Form, tuple[Expression, ...], list[Any]]]:
        self._meter.spend(len(self._groups))
        values: list[Any] = []
        for group, *said in zip(self._groups, *(self._grouped(part.values) for part in parts), strict=True):
            try:
                values.append(form.compute(group, *said))
            except (TypeError, ValueError):
                values.append(FAILED)
        if any(value is not FAILED for value in values):
            yield form, (self.source, *parts), values

    def template(self, form: Form) -> str:
        """The form with the variables that this loop has."""
        return form.template.replace("_target", f"{FIRST}, {SECOND}" if self._paired else ITEM)

    def _grouped(self, values: Sequence[Any]) -> list[list[Any]]:
        found, at = [], 0
        for size in self.sizes:
            found.append(list(values[at : at + size]))
            at += size
        return found

    def wanted(self, results: Sequence[Any]) -> tuple[str, list[Any]] | None:
        """What is plainly to be said of every item for these results: ``value`` with what it becomes, ``test`` with
        whether it stays; ``None`` where neither is plain."""
        if not all(isinstance(result, list | str) for result in results):
            return None
        if [len(result) for result in results] == self.sizes:
            return "value", [item for result in results for item in result]
        if self._paired:
            return None
        stays = _staying(self._groups, results)
        return ("test", stays) if stays is not None else None

    def mapped_and_kept(self, cost: int, results: Sequence[Any]) -> Iterator[tuple[Expression, Expression]]:
        """What some items become and which these are, where something that costs so much tells them."""
        for each in self.level(cost):
            if each.template != ITEM and _speaks(each):
                self._meter.spend(1 + len(each.values) // 4)
                stays = _staying(self._grouped(each.values), results)
                if stays is not None:
                    self._pending.append((each, stays))
        for each, stays in self._pending[:]:
            test = self._bank.like(stays)
            if test is not None and _speaks(test):
                self._pending.remove((each, stays))
                yield each, test

    def telling(self, cost: int, wanted: Sequence[Any]) -> Iterator[Expression]:
        """What says exactly this of every item, at a cost."""
        for each in self.level(cost):
            if each.template != ITEM and same(list(each.values), list(wanted)):
                yield each

    def conditional(self, cost: int, wanted: Sequence[Any]) -> Expression | None:
        """``a if test else b`` of what was said up to a cost, that says exactly this of every item."""
        known = [each for level in self._bank.levels[: cost + 1] for each in level]
        self._meter.spend(len(known) * (1 + len(wanted) // 8))
        return conditional(known, wanted)


def _staying(groups: Sequence[Sequence[Any]], results: Sequence[Any]) -> list[bool] | None:
    """Which items of each group make up its result, in their order; ``None`` where they do not, or it is not plain."""
    stays: list[bool] = []
    for group, result in zip(groups, results, strict=True):
        if len(result) > len(group):
            return None
        try:
            there, left = Counter(group), Counter(result)
        except TypeError:
            return None
        if any(left[item] not in (0, count) for item, count in there.items()):
            return None
        tests = [item in left for item in group]
        if not same([item for item, test in zip(group, tests, strict=True) if test], list(result)):
            return None
        stays += tests
    return stays


def _speaks(said: Expression) -> bool:
    """Whether an expression depends on the items at all."""
    if not said.parts:
        return said.template in (ITEM, FIRST, SECOND)
    return any(map(_speaks, said.parts))

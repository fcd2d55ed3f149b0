"""Bottom-up enumeration: all values that operations can make of what there is, the cheapest first, each once.

Expressions that have the same values on all examples are one (observational equivalence; Albarghouthi, Gulwani and
Kincaid 2013, Udupa et al. 2013, "TRANSIT"), so that what is built of them stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from codehunch.synthesis.forms import Form
from codehunch.synthesis.operations import Operation
from codehunch.synthesis.values import FAILED, TAKES, common_kind, too_large

EXPECTED = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What operations raise where they have no value."""
_OF_ITSELF = {"_0 + _1", "_0 * _1"}
"""What people do to a thing and itself."""
_DIVIDING = {"_0 % _1", "_0 // _1", "_0 % _1 == 0"}
"""Operations that nobody does to a constant."""
_UNDONE = {
    "abs(_0)": ("len(_0)", "-_0"),
    "sorted(_0)": ("_0[::-1]", "list(_0)"),
    "list(_0)": ("sorted(_0)", "_0.split()"),
}
"""Operations that nobody does right after some others."""


class Exhausted(Exception):
    """The search has used up what it was given."""


@attrs.define(eq=False)
class Meter:
    """What a search may still use, in values computed; asks now and then whether it is still wanted."""

    left: int
    cancelled: Callable[[], bool] | None = None
    _until_asked: int = 0

    def spend(self, values: int) -> None:
        """Raises Exhausted when nothing is left, or nobody waits any more."""
        self.left -= values
        self._until_asked -= values
        if self._until_asked < 0:
            self._until_asked = 2_000
            if self.cancelled is not None and self.cancelled():
                raise Exhausted
        if self.left < 0:
            raise Exhausted


@attrs.frozen(eq=False)
class Expression:
    """A program without statements, and its value on every example."""

    template: str
    """Python with ``_0``, ``_1`` for the parts; of a leaf, its text."""
    parts: tuple[Expression, ...]
    values: tuple[Any, ...]
    kind: str
    cost: int
    free: bool
    """Whether it depends on the arguments at all."""
    failed: bool = False
    """Whether it has no value on some example."""
    made: Operation | Form | None = None
    """The operation, or the form of a comprehension, that made it; ``None`` for leaves and branches."""


def leaf(text: str, values: Sequence[Any], cost: int, free: bool) -> Expression:
    """A variable, or a constant where it is not ``free``."""
    return Expression(text, (), tuple(values), common_kind(values), cost, free)


class Bank:
    """Expressions by their cost. Of those with the values that are ``wanted`` each is told, though one is kept.
    ``partial`` keeps those that have a value on some examples only."""

    def __init__(
        self,
        leaves: Sequence[Expression],
        costs: Sequence[tuple[Operation, int]],
        meter: Meter,
        wanted: Sequence[Any] | None = None,
        partial: bool = False,
    ) -> None:
        self.levels: list[list[Expression]] = [[]]
        self.leaves = [*leaves]
        self._costs = costs
        self._meter = meter
        self._partial = partial
        self._wanted = _frozen(wanted) if wanted is not None else None
        self._seen: dict[str, Expression] = {}
        self._by_use: dict[tuple[int, str], list[Expression]] = {}

    def grow(self) -> Iterator[Expression]:
        """The expressions of the next cost, as they are found. The next level is there once this one is used up."""
        cost = len(self.levels)
        level: list[Expression] = []
        self.levels.append(level)
        for each in self.leaves:
            if each.cost == cost and (key := _frozen(each.values)) not in self._seen:
                self._seen[key] = each
                level.append(each)
                yield each
        for operation, own in self._costs:
            for parts in self._choices(operation, cost - own):
                values = self._apply(operation, parts)
                found = self.keep(operation.template, parts, values, operation) if values is not None else None
                if found is not None:
                    yield found

    def keep(
        self, template: str, parts: tuple[Expression, ...], values: Sequence[Any], made: Operation | Form
    ) -> Expression | None:
        """An expression of the level that grows; ``None`` where there is one like it already that will do."""
        key = _frozen(values)
        new = key not in self._seen
        if not new and key != self._wanted:
            return None
        failed = any(value is FAILED for value in values)
        kept = Expression(template, parts, tuple(values), common_kind(values), len(self.levels) - 1, True, failed, made)
        if new:
            self._seen[key] = kept
            self.levels[-1].append(kept)
        return kept

    def like(self, values: Sequence[Any]) -> Expression | None:
        """The expression that has these values, if it is there already."""
        return self._seen.get(_frozen(values))

    def usable(self, cost: int, use: str) -> list[Expression]:
        """Expressions of a finished level that an operation takes as ``use``."""
        found = self._by_use.get((cost, use))
        if found is None:
            wanted = TAKES[use]
            found = [each for each in self.levels[cost] if wanted(each.kind)]
            self._by_use[cost, use] = found
        return found

    def _choices(self, operation: Operation, rest: int) -> Iterator[tuple[Expression, ...]]:
        """The arguments that together cost ``rest``."""
        match operation.takes:
            case (only,):
                if rest >= 1:
                    yield from ((each,) for each in self.usable(rest, only) if each.free)
            case (first, second):
                for one in range(1, rest):
                    if operation.symmetric and one > rest - one:
                        break
                    others = self.usable(rest - one, second)
                    for left in self.usable(one, first) if others else ():
                        if left.free:
                            yield from ((left, right) for right in others)
                        elif operation.symmetric:
                            yield from ((right, left) for right in others if right.free)
                        elif first != "scalar" and operation.template not in _DIVIDING:
                            # A comparison begins with what is compared, a remainder is one of what is given.
                            yield from ((left, right) for right in others if right.free)
            case (first, second, third):
                for one in range(1, rest - 1):
                    for two in range(1, rest - one):
                        for left in self.usable(one, first):
                            if left.free:
                                middles = self.usable(two, second)
                                lasts = self.usable(rest - one - two, third)
                                yield from ((left, middle, last) for middle in middles for last in lasts)

    def _apply(self, operation: Operation, parts: tuple[Expression, ...]) -> list[Any] | None:
        """The values of an operation; ``None`` where it has none, or nobody would write it."""
        if len(parts) == 2 and parts[0] is parts[1] and operation.template not in _OF_ITSELF:
            return None
        if len(parts) == 1 and parts[0].template in (operation.template, *_UNDONE.get(operation.template, ())):
            return None
        self._meter.spend(len(parts[0].values))
        compute, values, some = operation.compute, [], False
        gaps = any(part.failed for part in parts)
        for row in zip(*(part.values for part in parts), strict=True):
            value: Any = FAILED
            if not gaps or not any(each is FAILED for each in row):
                try:
                    value = compute(*row)
                    if too_large(value):
                        value = FAILED
                except EXPECTED:
                    value = FAILED
            if value is not FAILED:
                some = True
            elif not self._partial:
                return None
            values.append(value)
        return values if some else None


def _frozen(values: Sequence[Any]) -> str:
    """The values as a text that tells all different ones apart."""
    if any(isinstance(value, set) for value in values):
        return repr([("set", sorted(map(repr, value))) if isinstance(value, set) else value for value in values])
    return repr(list(values))

"""From examples to programs: the cheapest expressions that give what every example shows.

Expressions are enumerated by cost, comprehensions among them, and put together: two whose sum or concatenation is what
is wanted, two of which each is right on some examples. What is found is as sure as it is unlikely that something as
short gives all the results by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from codehunch.synthesis.bank import Bank, Exhausted, Expression, Meter, leaf
from codehunch.synthesis.branches import BRANCHES, both_or_either, conditional
from codehunch.synthesis.choosing import chosen
from codehunch.synthesis.constants import constants_of
from codehunch.synthesis.examples import Example
from codehunch.synthesis.forms import Form
from codehunch.synthesis.guidance import NAME, Guidance
from codehunch.synthesis.loops import LOOPED, MOST_ITEMS, Loop
from codehunch.synthesis.operations import operation
from codehunch.synthesis.values import bits, common_kind, same

EFFORT = 400_000
"""Values that are computed at most: about a second of one core."""
MOST_COST = 15
PATIENCE = (4, 2, 1)
"""How much dearer than the first program another may be that is looked for: while no more than a tenth of the effort is
spent, half of it, all of it."""
LEAST = 0.005
"""Confidence below which anything might as well have been meant."""
UNUSED = 3
"""What a parameter costs that a program leaves alone."""
_MOST_LOOPS, _SOURCE_COST = 16, 5
_OUTER_COST, _MOST_OUTER = 3, 6
_JOINED = "''.join(_0)"


@attrs.frozen(eq=False)
class Found:
    """A program that gives what all examples show."""

    expression: Expression
    cost: int
    """Its own, with what it leaves alone, and less for every word that it answers."""
    confidence: float
    """That nothing else was meant, 0 to 1: how unlikely it is that as short a program fits the examples by chance."""


@attrs.frozen(eq=False)
class Task:
    """What is to be found: parameters, what they were and what came of them, and how that is described."""

    parameters: tuple[str, ...]
    examples: tuple[Example, ...]
    description: str
    """Docstring, examples and all."""
    name: str
    hidden: frozenset[str] = frozenset()
    """Built-ins and modules whose names mean something else where the program will stand."""


def search(task: Task, effort: int = EFFORT, cancelled: Callable[[], bool] | None = None) -> tuple[Found, ...]:
    """Programs that fit all examples of a task and differ beyond them, the best first; none where none is short enough.

    The same task has the same programs on every machine: the effort counts values, not seconds.
    """
    results = [example.result for example in task.examples]
    if not results or all(result is None for result in results):
        return ()
    searching = _Search(task, results, Meter(effort, cancelled))
    found: list[Found] = []
    try:
        for cost in range(1, MOST_COST + 1):
            if found and cost > min(each.expression.cost for each in found) + searching.patience:
                break
            found += map(searching.judged, searching.level(cost))
    except Exhausted:
        found += map(searching.judged, searching.fitting)
    likely = [each for each in found if each.confidence >= LEAST]
    order = chosen([(each.expression, each.cost) for each in likely], task.parameters, task.examples)
    return tuple(likely[place] for place in order)


class _Search:
    """One search: the bank of whole values, and a loop for each of the first things that can be gone through."""

    def __init__(self, task: Task, results: Sequence[Any], meter: Meter) -> None:
        self._task = task
        self._results = list(results)
        self._meter = meter
        self._effort = meter.left
        self._kind = common_kind(results)
        rows = len(results)
        columns = list(zip(*(example.arguments for example in task.examples), strict=True))
        # A parameter hides the built-in of its name, and nobody wants the function to call itself.
        self._guidance = Guidance(
            f"{task.name} {task.description}",
            {*task.parameters, task.name, *task.hidden},
            [*map(common_kind, columns), self._kind],
            results,
        )
        variables = [leaf(name, values, 1, True) for name, values in zip(task.parameters, columns, strict=True)]
        constants = [
            leaf(repr(value), [value] * rows, cost, False)
            for value, cost in constants_of(task.description, task.examples)
        ]
        self._leaves = [*variables, *constants]
        self._bank = Bank(self._leaves, self._guidance.operations, meter, self._results, partial=rows > 1)
        self._loops: list[tuple[Loop, tuple[str, list[Any]] | None]] = []
        self._known: dict[int, tuple[int, float]] = {}
        self.fitting: list[Expression] = []
        """Of the level that is being grown."""

    @property
    def patience(self) -> int:
        """How many levels are looked at beyond what was found."""
        spent = 1 - self._meter.left / self._effort
        return PATIENCE[0 if spent < 0.1 else 1 if spent < 0.5 else 2]

    def level(self, cost: int) -> list[Expression]:
        """What fits all examples and costs so much. Raises Exhausted; ``fitting`` then has what was found so far."""
        self.fitting = []
        for each in self._grown(cost):
            if each.kind == self._kind and not each.failed and each.free and same(list(each.values), self._results):
                self.fitting.append(each)
        self._deduced(cost)
        self._met(cost)
        if len(self._results) > 2 and not self.fitting:
            known = [each for level in self._bank.levels for each in level]
            self._meter.spend(len(known))
            if self._kind == "b":
                found = both_or_either(known, self._results)
            else:
                found = conditional(known, self._results, self._guidance.price)
            if found is not None:
                self.fitting.append(found)
        self._open_loops(cost)
        return self.fitting

    def judged(self, expression: Expression) -> Found:
        """A program with its price and what speaks for it."""
        unused = set(self._task.parameters) - names_in(expression)
        cost = self._guidance.price(expression) + UNUSED * len(unused)
        # Nor can results tell more programs apart than they have bits.
        told = 2.0 ** (cost - sum(map(bits, self._results)))
        return Found(expression, cost, 1.0 / (1.0 + max(told, self._chances(expression))))

    def _chances(self, expression: Expression) -> float:
        """How many programs are expected to fit by chance, were results independent of each other."""
        cost = min(expression.cost, len(self._bank.levels) - 1)
        if cost not in self._known:
            self._known[cost] = self._chances_up_to(cost)
        count, chance = self._known[cost]
        expected = (count + 1) * chance
        if expression.template == BRANCHES:
            tests = sum(each.kind == "b" for level in self._bank.levels for each in level)
            expected *= (count + 1) * max(1, tests) * 2.0 ** -len(self._results)
        elif expression.cost > len(self._bank.levels):
            expected *= count + 1  # One of the pairs, not of the expressions.
        return expected

    def _chances_up_to(self, cost: int) -> tuple[int, float]:
        """How many expressions of the right kind there are, and how likely one of them has all results."""
        known = [each for level in self._bank.levels[: cost + 1] for each in level if each.kind == self._kind]
        chance = 1.0
        for row, result in enumerate(self._results):
            others = sum(same(each.values[row], result) for each in known)
            chance *= 0.5 if self._kind == "b" else (0.5 + others) / (30 + len(known))
        return len(known), chance

    def _grown(self, cost: int) -> Iterator[Expression]:
        yield from self._bank.grow()
        for loop, _ in self._loops:
            for form, parts, values in loop.grown(cost):
                kept = self._bank.keep(loop.template(form), parts, values, form)
                if kept is not None:
                    yield kept

    def _deduced(self, cost: int) -> None:
        """What must be said of each item is looked for two levels further than what may be said."""
        for loop, wanted in self._loops:
            deep = cost - loop.source.cost
            if deep < 1:
                continue
            if isinstance(self._results[0], list | str) and all(
                type(r) is type(self._results[0]) for r in self._results
            ):
                self._mapped_and_kept(loop, deep)
            if wanted is None:
                continue
            says, values = wanted
            form, own = next((form, own) for form, own in self._guidance.forms if form.says == says)
            told = list(loop.telling(deep, values))
            if not told and says == "value" and len(values) > 3:
                branches = loop.conditional(deep, values)
                told = [branches] if branches is not None else []
            for each in told:
                self._fits(loop, form, (each,), own)

    def _mapped_and_kept(self, loop: Loop, cost: int) -> None:
        form, own = next((form, own) for form, own in self._guidance.forms if form.says == "both")
        for parts in loop.mapped_and_kept(cost, self._results):
            self._fits(loop, form, parts, own)

    def _fits(self, loop: Loop, form: Form, said: tuple[Expression, ...], own: int) -> None:
        """A comprehension is known to fit by what it says of each item."""
        whole = loop.source.cost + own + sum(each.cost for each in said)
        results = tuple(self._results)
        made = Expression(loop.template(form), (loop.source, *said), results, self._kind, whole, True, made=form)
        if isinstance(self._results[0], str):
            made = attrs.evolve(made, template=_JOINED, parts=(made,), cost=whole + 1, made=operation(_JOINED))
        self.fitting.append(made)

    def _met(self, cost: int) -> None:
        """Two known expressions whose sum, difference, product or concatenation is what is wanted: one of them says
        what the other must be (meet in the middle)."""
        if self._kind not in "ifs" and self._kind[0] != "L":
            return
        self._meter.spend(len(self._bank.levels[cost]) * len(self._results))
        for one in self._bank.levels[cost]:
            if one.failed or not one.free or (one.kind != self._kind and one.kind + self._kind not in ("if", "fi")):
                continue
            for template, rests in self._rests(one):
                other = self._bank.like(rests)
                if other is None or other is one or not other.free:
                    continue
                self._meter.spend(1)
                left, right = (other, one) if template[1] == "<" else (one, other)
                whole = one.cost + other.cost + 2
                how = operation(template[0])
                made = Expression(template[0], (left, right), tuple(self._results), self._kind, whole, True, made=how)
                if len(self._results) > 1 or self._kind not in "if":
                    self.fitting.append(made)

    def _rests(self, one: Expression) -> Iterator[tuple[tuple[str, str], list[Any]]]:
        """What another expression must be, beside this one, for some operation to give the results."""
        pairs = list(zip(one.values, self._results, strict=True))
        if self._kind in "if":
            yield ("_0 + _1", ">"), [result - value for value, result in pairs]
            yield ("_0 - _1", ">"), [value - result for value, result in pairs]
            yield ("_0 - _1", "<"), [value + result for value, result in pairs]
            if all(value and result % value == 0 for value, result in pairs):
                yield (
                    ("_0 * _1", ">"),
                    [result // value if self._kind == "i" else result / value for value, result in pairs],
                )
        elif all(len(value) < len(result) and len(value) for value, result in pairs):
            if all(result[: len(value)] == value for value, result in pairs):
                yield ("_0 + _1", ">"), [result[len(value) :] for value, result in pairs]
            if all(result[-len(value) :] == value for value, result in pairs):
                yield ("_0 + _1", "<"), [result[: -len(value)] for value, result in pairs]

    def _open_loops(self, cost: int) -> None:
        """A loop through each thing of this cost that has items."""
        if cost > _SOURCE_COST:
            return
        known = [each for level in self._bank.levels[: _OUTER_COST + 1] for each in level]
        outer = [each for each in known if each.parts and each.kind in "ifsb" and not each.failed][:_MOST_OUTER]
        if cost == _OUTER_COST:
            for loop, _ in self._loops:
                loop.know(outer)
        elif cost < _OUTER_COST:
            outer = []
        sources = self._bank.usable(cost, "iter")
        for source in sorted(sources, key=lambda source: -len(names_in(source))):
            if len(self._loops) >= _MOST_LOOPS or not source.free or source.failed:
                continue
            letter = source.kind == "s" and all(len(value) < 2 for value in source.values)
            if LOOPED.match(source.template) and not letter and 1 < sum(map(len, source.values)) <= MOST_ITEMS:
                loop = Loop(
                    source, [*self._leaves, *outer], self._guidance.forms, self._guidance.operations, self._meter
                )
                self._loops.append((loop, loop.wanted(self._results)))


def names_in(expression: Expression) -> set[str]:
    """The names that a program uses."""
    if not expression.parts:
        return set(NAME.findall(expression.template)) if expression.free else set()
    return set().union(*map(names_in, expression.parts))

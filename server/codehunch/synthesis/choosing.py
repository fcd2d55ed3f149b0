"""Which of the programs that fit the examples is meant: what they do beyond them tells.

All of them are tried on inputs like those of the examples. Programs that then do the same are one answer, as likely as
all of them together (clustering by behaviour, as in AlphaCode; Li et al. 2022), and one that has no value for inputs
like these is hardly meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from codehunch.synthesis.bank import EXPECTED, Expression
from codehunch.synthesis.branches import BRANCHES
from codehunch.synthesis.examples import Example
from codehunch.synthesis.forms import FIRST, ITEM, SECOND, Form
from codehunch.synthesis.values import FAILED, too_large

MOST_PROGRAMS, MOST_PROBES = 60, 40
_FAILING = 4.0
"""Bits by which a program that fails on all inputs like these is less likely than one that fails on none."""


def chosen(
    programs: Sequence[tuple[Expression, int]], parameters: Sequence[str], examples: Sequence[Example]
) -> list[int]:
    """Places of the programs, given with their prices, that differ beyond the examples; the likeliest first."""
    order = sorted(range(len(programs)), key=lambda place: programs[place][1])[:MOST_PROGRAMS]
    inputs = [dict(zip(parameters, values, strict=True)) for values in islice(probes(examples), MOST_PROBES)]
    behaviours: dict[str, list[int]] = {}
    failures: dict[str, int] = {}
    for place in order:
        outputs = [evaluate(programs[place][0], each) for each in inputs]
        key = repr([sorted(map(repr, each)) if isinstance(each, set) else each for each in outputs])
        behaviours.setdefault(key, []).append(place)
        failures[key] = sum(each is FAILED for each in outputs)
    fewest = min(failures.values(), default=0)

    def likelihood(key: str) -> float:
        weight = math.log2(sum(2.0 ** -programs[place][1] for place in behaviours[key]))
        return weight - _FAILING * (failures[key] - fewest) / max(1, len(inputs))

    return [behaviours[key][0] for key in sorted(behaviours, key=likelihood, reverse=True)]


def evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    """The value of a program for other arguments; FAILED where it has none."""
    try:
        value = _value(expression, names)
    except EXPECTED:
        return FAILED
    return FAILED if too_large(value) else value


def _value(expression: Expression, names: Mapping[str, Any]) -> Any:
    if not expression.parts:
        return names[expression.template] if expression.free else expression.values[0]
    if expression.template == BRANCHES:
        test, yes, no = expression.parts
        return _value(yes if _value(test, names) else no, names)
    if isinstance(expression.made, Form):
        source, *said = expression.parts
        items = list(_value(source, names))
        each = [_with_item(names, item, FIRST in expression.template) for item in items]
        return expression.made.compute(items, *([_value(part, around) for around in each] for part in said))
    if expression.made is None:
        raise TypeError(expression.template)
    value = expression.made.compute(*(_value(part, names) for part in expression.parts))
    if too_large(value):
        raise ValueError(expression.template)
    return value


def _with_item(names: Mapping[str, Any], item: Any, paired: bool) -> dict[str, Any]:
    return {**names, FIRST: item[0], SECOND: item[1]} if paired else {**names, ITEM: item}


def probes(examples: Sequence[Example]) -> Iterator[tuple[Any, ...]]:
    """Arguments like those of the examples: one of them changed a little, or taken from another example."""
    seen = {repr(example.arguments) for example in examples}
    changed = [_changes_of(example) for example in examples]
    while changed:  # A change of each example in turn, so that all have their share.
        for each in changed[:]:
            values = next(each, None)
            if values is None:
                changed.remove(each)
            elif repr(values) not in seen:
                seen.add(repr(values))
                yield values


def _changes_of(example: Example) -> Iterator[tuple[Any, ...]]:
    options = [list(_like(value)) for value in example.arguments]
    for at in range(max(map(len, options), default=0)):
        for place, others in enumerate(options):
            if at < len(others):
                yield (*example.arguments[:place], others[at], *example.arguments[place + 1 :])


def _like(value: Any) -> Iterator[Any]:
    """Other values of the same kind."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value * 2 + 1, value - 1, value + 7)
        case float():
            yield from (value + 0.5, value * 2, -value)
        case str() if value:
            yield from ("".join(each) for each in _rearranged(value))
            yield from (value.swapcase(), f"{value} {value}")
        case list() | tuple() if value:
            yield from map(type(value), _rearranged(value))
            yield type(value)(next(_like(item), item) for item in value)
        case dict() if value:
            yield dict(list(value.items())[:-1])
            yield dict(reversed(value.items()))
        case set() if value:
            yield set(sorted(value, key=repr)[:-1])


def _rearranged(items: Sequence[Any]) -> Iterator[list[Any]]:
    """The items turned round, one fewer, one twice, the first at the end, all there and back."""
    listed = list(items)
    yield from (listed[::-1], listed[:-1], listed + listed[:1], listed[1:] + listed[:1], listed + listed[::-1])

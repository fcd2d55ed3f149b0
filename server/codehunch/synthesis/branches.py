"""What no single expression gives: one of two, by a test, or two tests in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from codehunch.synthesis.bank import Expression
from codehunch.synthesis.operations import operation
from codehunch.synthesis.values import common_kind, same

BRANCHES = "_1 if _0 else _2"
_MOST_TESTS = 200
"""Of which every pair is looked at, the cheapest first."""


def both_or_either(known: Sequence[Expression], wanted: Sequence[Any]) -> Expression | None:
    """The cheapest two tests that together, or of which one at least, hold just where it is wanted."""
    target = _mask(wanted)
    tests: dict[int, Expression] = {}
    for each in known:
        if each.kind == "b" and not each.failed and each.free:
            tests.setdefault(_mask(each.values), each)
    best: tuple[Expression, Expression, str] | None = None
    for word in ("and", "or"):
        fits = {
            mask: each for mask, each in tests.items() if target == (mask & target if word == "and" else mask | target)
        }
        some = sorted(fits.items(), key=lambda pair: pair[1].cost)[:_MOST_TESTS]
        for at, (mask, one) in enumerate(some):
            if best is not None and one.cost >= best[0].cost + best[1].cost:
                break
            for other_mask, other in some[:at]:
                together = mask & other_mask if word == "and" else mask | other_mask
                if together == target and (best is None or one.cost + other.cost < best[0].cost + best[1].cost):
                    best = other, one, f"_0 {word} _1"
    if best is None:
        return None
    cost = best[0].cost + best[1].cost + 3
    return Expression(best[2], best[:2], tuple(wanted), "b", cost, True, made=operation(best[2]))


def conditional(
    known: Sequence[Expression], wanted: Sequence[Any], price: Callable[[Expression], int] = lambda each: each.cost
) -> Expression | None:
    """The cheapest test with two expressions of which one is right where it holds, the other where it does not
    (unification of partial solutions; Alur, Radhakrishna and Udupa 2017, "EUSolver")."""
    whole = (1 << len(wanted)) - 1
    right: dict[int, Expression] = {}
    tests: dict[int, Expression] = {}
    for each in known:
        mask = _mask([same(value, want) for value, want in zip(each.values, wanted, strict=True)])
        if mask and (mask not in right or price(each) < price(right[mask])):
            right[mask] = each
        if each.kind == "b" and not each.failed and each.free:
            tests.setdefault(_mask(each.values), each)
    best: tuple[int, Expression, Expression, Expression] | None = None
    for held, test in tests.items():
        if held in (0, whole):
            continue
        yes = min((e for mask, e in right.items() if mask & held == held), key=price, default=None)
        no = min((e for mask, e in right.items() if mask | held == whole), key=price, default=None)
        if yes is not None and no is not None and yes is not no and (yes.free or no.free or len(wanted) > 3):
            total = price(test) + price(yes) + price(no)
            if best is None or total < best[0]:
                best = total, test, yes, no
    if best is None:
        return None
    _, *parts = best
    return Expression(BRANCHES, tuple(parts), tuple(wanted), common_kind(wanted), sum(p.cost for p in parts) + 3, True)


def _mask(values: Sequence[Any]) -> int:
    """A bit for every value that counts as true."""
    return sum(1 << at for at, value in enumerate(values) if value)

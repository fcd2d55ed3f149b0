"""Operators on values of Python's own types, each kept from making more than a run may hold."""

from __future__ import annotations

import ast
import operator
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from codehunch.interpreter.running import MOST_BITS, MOST_ITEMS, Dispatching, Run, give_up

_LONG_FIELD = re.compile(r"\d{4,}|\*")
"""In a format: a width that nobody means."""
_SEQUENCES = (str, bytes, list, tuple, deque)
Operator = Callable[[Run, Any, Any], Any]


def _plain(compute: Callable[[Any, Any], Any]) -> Operator:
    """One that at most doubles what it is given."""

    def run(run: Run, left: Any, right: Any) -> Any:
        if type(left) is int and type(right) is int:
            found = compute(left, right)
            return found if -(10**18) < found < 10**18 else run.sized(found)
        run.sized(left)
        return run.sized(compute(left, right))

    return run


def _times(run: Run, left: Any, right: Any) -> Any:
    if isinstance(right, _SEQUENCES) and isinstance(left, int):
        left, right = right, left
    if isinstance(left, _SEQUENCES) and isinstance(right, int) and len(left) * max(0, right) > MOST_ITEMS:
        give_up("a value is too large")
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MOST_BITS:
        give_up("a number is too large")
    return run.sized(left * right)


def power(run: Run, base: Any, exponent: Any, modulus: Any = None) -> Any:
    """``pow(base, exponent, modulus)``."""
    if modulus is not None:
        if isinstance(exponent, int) and isinstance(modulus, int):
            run.charge(exponent.bit_length() * modulus.bit_length() // 100)
        return pow(base, exponent, modulus)
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1:
        if base.bit_length() * exponent > MOST_BITS:
            give_up("a number is too large")
        run.charge(base.bit_length() * exponent // 64)
    return base**exponent


def _shifted_left(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + max(0, right) > MOST_BITS:
        give_up("a number is too large")
    return left << right


def _remainder(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):
        if _LONG_FIELD.search(left if isinstance(left, str) else left.decode("latin-1")):
            give_up("a field is too wide")
        run.weigh(right)
        shown = right if isinstance(right, tuple) else (right,)
        if any(isinstance(each, set | frozenset) for each in shown):
            give_up("shows a set")
        return run.sized(left % right)
    return left % right


def _divided(compute: Callable[[Any, Any], Any]) -> Operator:
    return lambda run, left, right: compute(left, right)


BINARY: Mapping[type[ast.operator], Operator] = {
    ast.Add: _plain(operator.add),
    ast.Sub: _plain(operator.sub),
    ast.Mult: _times,
    ast.Div: _divided(operator.truediv),
    ast.FloorDiv: _divided(operator.floordiv),
    ast.Mod: _remainder,
    ast.Pow: power,
    ast.LShift: _shifted_left,
    ast.RShift: _divided(operator.rshift),
    ast.BitAnd: _plain(operator.and_),
    ast.BitOr: _plain(operator.or_),
    ast.BitXor: _plain(operator.xor),
}


def _added_in_place(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, Dispatching):
        left += right
        return left
    if isinstance(left, list):
        left += run.listed(right)
        return run.sized(left)
    return BINARY[ast.Add](run, left, right)


def _repeated_in_place(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, Dispatching):
        left *= right
        return left
    found = _times(run, left, right)
    if isinstance(left, list):
        left[:] = found
        return left
    return found


def _in_place(compute: Callable[[Any, Any], Any], plain: Operator) -> Operator:
    """For sets and counters, which change themselves."""

    def run(run: Run, left: Any, right: Any) -> Any:
        if isinstance(left, Dispatching):
            return compute(left, right)
        if isinstance(left, set | dict):
            run.sized(right)
            return run.sized(compute(left, right))
        return plain(run, left, right)

    return run


IN_PLACE: Mapping[type[ast.operator], Operator] = {
    **BINARY,
    ast.Add: _added_in_place,
    ast.Mult: _repeated_in_place,
    ast.Sub: _in_place(operator.isub, BINARY[ast.Sub]),
    ast.BitAnd: _in_place(operator.iand, BINARY[ast.BitAnd]),
    ast.BitOr: _in_place(operator.ior, BINARY[ast.BitOr]),
    ast.BitXor: _in_place(operator.ixor, BINARY[ast.BitXor]),
    ast.Div: _in_place(operator.itruediv, BINARY[ast.Div]),
    ast.FloorDiv: _in_place(operator.ifloordiv, BINARY[ast.FloorDiv]),
    ast.Mod: _in_place(operator.imod, BINARY[ast.Mod]),
    ast.Pow: _in_place(operator.ipow, BINARY[ast.Pow]),
}
"""``+=`` and its like."""

UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}

_SCALARS = (int, float, bool, type(None))


def _compared(compute: Callable[[Any, Any], Any]) -> Operator:
    def run(run: Run, left: Any, right: Any) -> Any:
        if type(left) not in _SCALARS:
            run.weigh(left)
            run.weigh(right)
        return compute(left, right)

    return run


def _contains(run: Run, item: Any, holder: Any) -> bool:
    if isinstance(holder, list | tuple | str):
        run.charge(len(holder))
        if not isinstance(holder, str):
            run.weigh(holder)
    elif not isinstance(holder, dict | set | frozenset | range | Dispatching):
        return any(each is item or each == item for each in run.items(holder))
    return item in holder


def _is_same(left: Any, right: Any) -> bool:
    if left is not right and type(left) is type(right) and isinstance(left, _SHARED) and left == right:
        give_up("asks whether equal values are one object")
    return left is right


_SHARED = (int, float, complex, str, bytes, tuple, frozenset)
"""Values of which Python may keep one or several."""
COMPARISONS: Mapping[type[ast.cmpop], Operator] = {
    ast.Eq: _compared(operator.eq),
    ast.NotEq: _compared(operator.ne),
    ast.Lt: _compared(operator.lt),
    ast.LtE: _compared(operator.le),
    ast.Gt: _compared(operator.gt),
    ast.GtE: _compared(operator.ge),
    ast.Is: lambda run, left, right: _is_same(left, right),
    ast.IsNot: lambda run, left, right: not _is_same(left, right),
    ast.In: _contains,
    ast.NotIn: lambda run, item, holder: not _contains(run, item, holder),
}
SIGNS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip

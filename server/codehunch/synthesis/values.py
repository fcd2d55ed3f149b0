"""What values are, for a search that composes operations by the kinds of values they take.

A kind is a short text: ``i`` int, ``f`` float, ``b`` bool, ``s`` str, ``n`` None, and for what holds others ``L``
list, ``T`` tuple, ``E`` set, ``R`` anything lazy, each with the kind of its elements (``Li``; nothing where it is
empty, ``o`` where they differ), and ``D`` dict. ``x`` is a value of several kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

MOST_ITEMS, MOST_DIGITS = 400, 10**30
"""Larger values are given up: no example that a person writes needs them."""


class Failed:
    """In place of a value where an operation has none."""

    def __repr__(self) -> str:
        return "FAILED"


FAILED: Final = Failed()


class Lazy(list[Any]):
    """What a ``range``, ``zip`` or ``dict.items`` goes through: no list until ``list`` makes it one."""

    def __repr__(self) -> str:
        return f"lazy {super().__repr__()}"


_KINDS: Mapping[type, str] = {
    bool: "b", int: "i", float: "f", str: "s", type(None): "n",
    Lazy: "R", list: "L", tuple: "T", set: "E", frozenset: "E", dict: "D",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """The kind of one value."""
    kind = _KINDS.get(type(value), "x")
    return kind + _of_all(value) if kind in "LTER" else kind


def common_kind(values: Iterable[Any]) -> str:
    """The kind of several values; those that failed do not count."""
    return joined({kind_of(value) for value in values if value is not FAILED})


def joined(kinds: set[str]) -> str:
    """What a value is that can be of any of these kinds."""
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"i", "f"}:
        return "f"
    heads = {kind[0] for kind in kinds}
    if len(heads) == 1 and heads <= set("LTER"):
        inner = {kind[1:] for kind in kinds} - {""}
        return next(iter(heads)) + (joined({each[0] for each in inner}) if inner else "").replace("x", "o")
    return "x"


def _of_all(items: Iterable[Any]) -> str:
    return joined({_KINDS.get(type(item), "x") for item in items}).replace("x", "o") if items else ""


def too_large(value: Any) -> bool:
    """Whether a value is more than any example needs."""
    made = type(value)  # Asked of every value: comparing types is quicker than isinstance.
    if made is bool or value is None:
        return False
    if made is int:
        return not -MOST_DIGITS < value < MOST_DIGITS
    if made is float:
        return not math.isfinite(value)
    return hasattr(value, "__len__") and len(value) > MOST_ITEMS


def same(value: Any, wanted: Any) -> bool:
    """Whether a value is what an example shows: of the same type all the way down, floats but for rounding errors."""
    if type(value) is not type(wanted):
        return False
    if isinstance(wanted, float):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(wanted, list | tuple):
        return len(value) == len(wanted) and all(map(same, value, wanted))
    if isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(same(value[key], each) for key, each in wanted.items())
    return bool(value == wanted)


def bits(value: Any) -> float:
    """About how much a result tells of the program that made it: what a person would show is small."""
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return min(12, 2 + value.bit_length())
    if isinstance(value, float):
        return 8
    if isinstance(value, str):
        return 2 + 4 * min(len(value), 6)
    if isinstance(value, dict):
        return min(24.0, 1 + sum(bits(key) + bits(each) for key, each in value.items()))
    return min(24.0, 1 + sum(map(bits, value))) if isinstance(value, list | tuple | set) else 1


def _sequence(inner: str, heads: str = "LT") -> Callable[[str], bool]:
    return lambda kind: kind[0] in heads and (len(kind) < 2 or kind[1] in inner)


TAKES: Mapping[str, Callable[[str], bool]] = {
    "any": lambda kind: kind[0] != "R",
    "int": lambda kind: kind == "i",
    "num": lambda kind: kind in "if",
    "float": lambda kind: kind == "f",
    "str": lambda kind: kind == "s",
    "bool": lambda kind: kind == "b",
    "key": lambda kind: kind[0] in "ifsbnT",
    "list": lambda kind: kind[0] == "L",
    "seq": lambda kind: kind[0] in "LT",
    "nums": _sequence("if", "LTER"),
    "texts": _sequence("s", "LTR"),
    "lists": _sequence("LT"),
    "numlist": _sequence("if"),
    "sliced": lambda kind: kind[0] in "LTs",
    # A set has no order that a program could count on.
    "iter": lambda kind: kind[0] in "LTRDs",
    "holder": lambda kind: kind[0] in "LTEDs",
    "ranked": lambda kind: (kind[0] in "LTR" and (len(kind) < 2 or kind[1] in "ifsTo")) or kind == "s",
    "lazy": lambda kind: kind[0] == "R",
    "sized": lambda kind: kind[0] in "LTEDs",
    "scalar": lambda kind: kind in "if",
    "ordered": lambda kind: kind in "ifs" or (kind[0] in "LT" and len(kind) == 2 and kind[1] in "ifs"),
    "items": lambda kind: (kind[0] in "LTER" and (len(kind) < 2 or kind[1] in "ifsLT")) or kind == "s",
    "set": lambda kind: kind[0] == "E",
    "dict": lambda kind: kind == "D",
}
"""What an operation can take, by name: whether a kind is one of it."""

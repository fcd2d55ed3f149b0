"""The operations that programs are made of: Python's own, on literals, without any effect.

An operation is how Python writes it, what it takes, what it does to values, what it costs, and the words by which
people ask for it. Costs are in units of which a variable is one.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from codehunch.synthesis.values import Lazy


@attrs.frozen(eq=False)
class Operation:
    """One of the ways to make a value of others."""

    template: str
    """Python, with ``_0``, ``_1`` for its arguments."""
    takes: tuple[str, ...]
    """What each argument must be: names of ``values.TAKES``."""
    compute: Callable[..., Any]
    cost: int
    words: frozenset[str]
    symmetric: bool = False
    """Whether the order of two arguments does not matter."""


class Refused(ValueError):
    """An operation does not go on with these values: the result would be too large, or mean something else."""


def _within(limit: int, size: float) -> None:
    if not 0 <= size <= limit:
        raise Refused


def _natural(number: int, most: int = 10**18) -> int:
    _within(most, number)
    return number


def _power(base: float, exponent: float) -> Any:
    _within(64, abs(exponent))
    _within(10**9, abs(base))
    found = base**exponent
    if isinstance(found, complex):
        raise Refused
    return found


def _times(text: Any, count: int) -> Any:
    _within(400, count * max(1, len(text)))
    return text * count


def _range(*bounds: int) -> Lazy:
    found = range(*bounds)
    _within(400, len(found))
    return Lazy(found)


def _factorial(number: int) -> int:
    _within(30, number)
    return math.factorial(number)


def _items(values: Sequence[Any], size: int, make: Callable[..., Any]) -> Lazy:
    _within(12, len(values))
    _within(4, size)
    return Lazy(make(values, size))


def _rounded(number: float, places: int) -> float:
    _within(30, abs(places))
    return round(number, places)


def _product(first: Sequence[Any], second: Sequence[Any]) -> Lazy:
    _within(400, len(first) * len(second))
    return Lazy(itertools.product(first, second))


def _fold(values: Sequence[Any], function: Callable[..., Any] | None = None) -> Lazy:
    return Lazy(itertools.accumulate(values, function))


def _equal(one: Any, other: Any) -> bool:
    """Whether two things are equal that could be."""
    alike = (
        isinstance(one, int | float)
        and isinstance(other, int | float)
        and isinstance(one, bool) == isinstance(other, bool)
    )
    if not alike and type(one) is not type(other) and one is not None and other is not None:
        raise Refused
    return bool(one == other)


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place]


def _chunks(values: Any, size: int) -> list[Any]:
    _within(400, size)
    return [values[start : start + size] for start in range(0, len(values), size)]


def _substring(text: str, part: str) -> bool:
    return part in text


def _runs(values: Any) -> list[list[Any]]:
    return [list(run) for _, run in itertools.groupby(values)]


def _text(number: Any) -> str:
    return str(number)


def _rows(values: Any) -> list[list[Any]]:
    return [list(row) for row in zip(*values, strict=False)]


def _most_common(values: Any) -> Any:
    return Counter(values).most_common(1)[0][0]


def _rotated(values: Any, count: int) -> Any:
    _within(len(values), count - 1)
    return values[-count:] + values[:-count]


def _divisors(number: int) -> list[int]:
    _within(400, number)
    return [each for each in range(1, number + 1) if number % each == 0]


def _is_prime(number: int) -> bool:
    _within(100_000, number)
    return number > 1 and all(number % each for each in range(2, math.isqrt(number) + 1))


_TABLE: list[tuple[str, str, Callable[..., Any], int, str]] = [
    # Numbers.
    ("_0 + _1", "num num *", lambda a, b: a + b, 2, "add sum plus total increment more together"),
    ("_0 - _1", "num num", lambda a, b: a - b, 2, "subtract difference minus less decrement remaining fewer"),
    ("_0 * _1", "num num *", lambda a, b: a * b, 2, "multiply product times area double triple scale square volume"),
    ("_0 // _1", "num num", lambda a, b: a // b, 3, "divide quotient half integer whole floor"),
    ("_0 / _1", "num num", lambda a, b: a / b, 3, "divide ratio average mean half fraction quotient per"),
    ("_0 % _1", "num num", lambda a, b: a % b, 2,
     "remainder modulo divisible even odd multiple decimal digit mod leap"),
    ("_0 ** _1", "num num", _power, 3, "power square cube exponent raised squared cubed powers"),
    ("-_0", "num", lambda a: -a, 2, "negate negative opposite minus"),
    ("abs(_0)", "num", abs, 2, "absolute distance difference magnitude"),
    ("min(_0, _1)", "num num *", min, 3, "minimum smaller smallest least clamp lower"),
    ("max(_0, _1)", "num num *", max, 3, "maximum larger largest greater clamp bigger"),
    ("round(_0)", "float", round, 3, "round nearest rounded"),
    ("round(_0, _1)", "float int", _rounded, 3, "round decimal places rounded"),
    ("int(_0)", "float", int, 3, "integer truncate whole int"),
    ("math.ceil(_0)", "float", math.ceil, 4, "ceil ceiling"),
    ("math.floor(_0)", "float", math.floor, 4, "floor down"),
    ("math.sqrt(_0)", "num", math.sqrt, 4, "sqrt root hypotenuse distance"),
    ("math.isqrt(_0)", "int", math.isqrt, 5, "square perfect root"),
    ("math.gcd(_0, _1)", "int int *", math.gcd, 4, "gcd divisor common greatest coprime"),
    ("math.lcm(_0, _1)", "int int *", math.lcm, 5, "lcm multiple common least"),
    ("math.factorial(_0)", "int", _factorial, 4, "factorial permutations"),
    ("_0 ^ _1", "int int *", lambda a, b: a ^ b, 4, "xor exclusive bitwise toggle"),
    ("_0 & _1", "int int *", lambda a, b: a & b, 4, "bitwise mask bits bit"),
    ("_0 | _1", "int int *", lambda a, b: a | b, 4, "bitwise bits bit"),
    ("float(_0)", "int", float, 4, "float"),
    ("float(_0)", "str", float, 4, "float parse number"),
    ("int(_0)", "str", int, 2, "integer number digit parse int digits numeric"),
    ("int(_0, _1)", "str int", int, 4, "base binary hexadecimal decimal octal"),
    ("bin(_0)[2:]", "int", lambda a: bin(_natural(a))[2:], 4, "binary bits base"),
    ("hex(_0)[2:]", "int", lambda a: hex(_natural(a))[2:], 5, "hexadecimal hex"),
    ("chr(_0)", "int", chr, 4, "character code ascii letter shift"),
    ("ord(_0)", "str", ord, 4, "character code ascii position letter shift"),
    ("str(_0)", "num", _text, 3, "string digit digits text number palindrome"),
    # Comparisons.
    ("_0 == _1", "any any *", _equal, 2, "equal same equals match palindrome exactly"),
    ("_0 != _1", "any any *", lambda a, b: not _equal(a, b), 2, "not different differ other except unequal"),
    ("_0 < _1", "scalar scalar", lambda a, b: a < b, 2, "less below smaller under before shorter fewer negative"),
    ("_0 > _1", "scalar scalar", lambda a, b: a > b, 2, "greater above larger over more positive longer exceeds"),
    ("_0 <= _1", "scalar scalar", lambda a, b: a <= b, 3, "most less equal within"),
    ("_0 >= _1", "scalar scalar", lambda a, b: a >= b, 3, "least greater equal"),
    ("_0 < _1", "str str", lambda a, b: a < b, 5, "alphabetical alphabetically lexicographically before"),
    ("_0 > _1", "str str", lambda a, b: a > b, 5, "alphabetical alphabetically lexicographically after"),
    ("not _0", "bool", lambda a: not a, 2, "not without no never"),
    ("not _0", "sized", lambda a: not a, 3, "empty no none"),
    ("_0 and _1", "bool bool *", lambda a, b: a and b, 3, "both between"),
    ("_0 or _1", "bool bool *", lambda a, b: a or b, 3, "either any"),
    ("_0 in _1", "key holder", lambda a, b: a in b, 2, "contain member vowel among exists contains consist"),
    ("_0 not in _1", "key holder", lambda a, b: a not in b, 3, "not without remove missing except exclude absent"),
    # Texts.
    ("_0 + _1", "str str", lambda a, b: a + b, 2, "concatenate append join prefix suffix add followed"),
    ("_0 * _1", "str int", _times, 3, "repeat times stars"),
    ("_0.lower()", "str", str.lower, 2, "lower lowercase case insensitive distinct regardless ignoring"),
    ("_0.upper()", "str", str.upper, 2, "upper uppercase capital shout"),
    ("_0.title()", "str", str.title, 4, "title capitalize"),
    ("_0.capitalize()", "str", str.capitalize, 3, "capitalize capital first"),
    ("_0.swapcase()", "str", str.swapcase, 4, "swap case flip"),
    ("_0.strip()", "str", str.strip, 3, "strip trim whitespace space surrounding"),
    ("_0.strip(_1)", "str str", str.strip, 4, "strip trim"),
    ("_0.split()", "str", str.split, 2, "split word words space separate sentence delimited"),
    ("_0.split(_1)", "str str", str.split, 3, "split separate delimiter separator comma"),
    ("_0.splitlines()", "str", str.splitlines, 4, "line lines"),
    ("''.join(_0)", "texts", "".join, 2, "join concatenate string text character characters"),
    ("' '.join(_0)", "texts", " ".join, 2, "join space sentence"),
    ("_1.join(_0)", "texts str", lambda a, b: b.join(a), 3, "join separate separator delimiter comma"),
    ("_0.replace(_1, _2)", "str str str", str.replace, 3, "replace substitute change"),
    ("_0.replace(_1, '')", "str str", lambda a, b: a.replace(b, ""), 3, "remove delete without strip"),
    ("_0.startswith(_1)", "str str", str.startswith, 2, "start begin prefix starts"),
    ("_0.endswith(_1)", "str str", str.endswith, 2, "end suffix extension ends"),
    ("_0.removeprefix(_1)", "str str", str.removeprefix, 4, "remove prefix without"),
    ("_0.removesuffix(_1)", "str str", str.removesuffix, 4, "remove suffix without"),
    ("_0.count(_1)", "str str", str.count, 3, "count number occurrence times many occurrences"),
    ("_0.find(_1)", "str str", str.find, 3, "find index position"),
    ("_0.index(_1)", "str str", str.index, 4, "index position"),
    ("_1 in _0", "str str", _substring, 2, "contain substring include contains"),
    ("_0.isdigit()", "str", str.isdigit, 3, "digit number numeric digits"),
    ("_0.isalpha()", "str", str.isalpha, 3, "letter alphabetic letters"),
    ("_0.isalnum()", "str", str.isalnum, 3, "alphanumeric letter punctuation"),
    ("_0.isupper()", "str", str.isupper, 3, "upper uppercase capital"),
    ("_0.islower()", "str", str.islower, 3, "lower lowercase"),
    ("_0.isspace()", "str", str.isspace, 4, "space whitespace blank"),
    ("_0.zfill(_1)", "str int", lambda a, b: a.zfill(_natural(b, 100)), 4, "zero pad zeros leading width"),
    ("_0.ljust(_1)", "str int", lambda a, b: a.ljust(_natural(b, 100)), 5, "pad left width"),
    ("_0.rjust(_1)", "str int", lambda a, b: a.rjust(_natural(b, 100)), 5, "pad right width"),
    ("_0.center(_1)", "str int", lambda a, b: a.center(_natural(b, 100)), 5, "center pad width"),
    ("_0.partition(_1)[0]", "str str", lambda a, b: a.partition(b)[0], 4, "before first part until"),
    ("_0.rpartition(_1)[2]", "str str", lambda a, b: a.rpartition(b)[2], 4, "after last extension part"),
    # What kind of thing it is.
    ("isinstance(_0, str)", "any", lambda a: isinstance(a, str), 4, "string strings text"),
    ("isinstance(_0, int)", "any", lambda a: isinstance(a, int), 4, "integer integers numbers"),
    ("isinstance(_0, list)", "any", lambda a: isinstance(a, list), 4, "list lists nested"),
    ("isinstance(_0, dict)", "any", lambda a: isinstance(a, dict), 4, "dictionary dict mapping"),
    ("_0 is None", "any", lambda a: a is None, 4, "none missing null"),
    # What has an order.
    ("len(_0)", "sized", len, 2, "length count number many long size empty how longest shortest longer shorter"),
    ("_0[0]", "sliced", lambda a: a[0], 2, "first initial head start begin"),
    ("_0[-1]", "sliced", lambda a: a[-1], 2, "last final end tail"),
    ("_0[1]", "sliced", lambda a: a[1], 4, "second"),
    ("_0[-2]", "sliced", lambda a: a[-2], 4, "second last before"),
    ("_0[_1]", "sliced int", _at, 3, "index element position nth"),
    ("_0[1:]", "sliced", lambda a: a[1:], 3, "rest first tail except after consecutive next adjacent"),
    ("_0[:-1]", "sliced", lambda a: a[:-1], 3, "last except without drop"),
    ("_0[::-1]", "sliced", lambda a: a[::-1], 2, "reverse backward palindrome reversed backwards"),
    ("_0[:_1]", "sliced int", lambda a, b: a[:b], 3, "first take prefix truncate leading"),
    ("_0[_1:]", "sliced int", lambda a, b: a[b:], 3, "after drop skip last suffix rotate"),
    ("_0[::_1]", "sliced int", lambda a, b: a[:: _natural(b)], 4, "every second step other alternate nth"),
    ("_0[1::2]", "sliced", lambda a: a[1::2], 4, "odd second other alternate"),
    ("_0 + _1", "list list", lambda a, b: a + b, 3, "concatenate append merge extend combine rotate join both"),
    ("_0 + [_1]", "list any", lambda a, b: [*a, b], 4, "append add end"),
    ("[_0] + _1", "any list", lambda a, b: [a, *b], 5, "prepend front"),
    ("_0 * _1", "list int", _times, 4, "repeat times copies"),
    ("_0.index(_1)", "seq any", lambda a, b: a.index(b), 3, "index position where"),
    ("_0.count(_1)", "seq any", lambda a, b: a.count(b), 3, "count number occurrence times frequency"),
    ("[_0]", "any", lambda a: [a], 5, "singleton wrap"),
    ("(_0, _1)", "any any", lambda a, b: (a, b), 3, "tuple pair both"),
    ("[_0, _1]", "any any", lambda a, b: [a, b], 4, "pair both list"),
    ("list(_0)", "iter", list, 3, "list character characters"),
    ("list(_0)", "lazy", list, 1, "list"),
    ("tuple(_0)", "list", tuple, 3, "tuple"),
    ("sum(_0)", "nums", sum, 2, "sum total add average mean"),
    ("math.prod(_0)", "nums", math.prod, 4, "product multiply"),
    ("min(_0)", "items", min, 2, "minimum smallest least lowest shortest smaller"),
    ("max(_0)", "items", max, 2, "maximum largest greatest highest biggest longest larger"),
    ("sorted(_0)", "items", sorted, 2, "sort order ascending increasing sorted alphabetical anagram alphabetically"),
    ("sorted(_0, reverse=True)", "items", lambda a: sorted(a, reverse=True), 3,
     "descending decreasing largest reverse"),
    ("set(_0)", "ranked", set, 2, "unique distinct duplicate different common set"),
    ("list(dict.fromkeys(_0))", "ranked", lambda a: list(dict.fromkeys(a)), 4,
     "unique duplicate order preserve distinct"),
    ("range(_0)", "int", _range, 2, "range index below indices"),
    ("range(1, _0 + 1)", "int", lambda a: _range(1, a + 1), 2, "range inclusive first until"),
    ("range(_0, _1)", "int int", _range, 4, "range between"),
    ("range(_0, _1 + 1)", "int int", lambda a, b: _range(a, b + 1), 4, "range between inclusive"),
    ("range(_0, 0, -1)", "int", lambda a: _range(a, 0, -1), 5, "countdown down descending"),
    ("zip(_0, _1)", "iter iter", lambda a, b: Lazy(zip(a, b, strict=False)), 3, "pair zip combine corresponding"),
    ("zip(_0, _0[1:])", "sliced", lambda a: Lazy(itertools.pairwise(a)), 4,
     "consecutive adjacent pair neighbor successive"),
    ("enumerate(_0)", "iter", lambda a: Lazy(enumerate(a)), 4, "index enumerate position number"),
    ("itertools.accumulate(_0)", "numlist", _fold, 4, "running cumulative accumulate prefix balance partial"),
    ("itertools.accumulate(_0, max)", "numlist", lambda a: _fold(a, max), 5, "rolling running maximum far until"),
    ("itertools.accumulate(_0, min)", "numlist", lambda a: _fold(a, min), 6, "rolling running minimum far"),
    ("itertools.combinations(_0, _1)", "sliced int", lambda a, b: _items(a, b, itertools.combinations), 4,
     "combination pair subset any two distinct elements"),
    ("itertools.product(_0, _1)", "iter iter", _product, 5,
     "cartesian product every"),
    ("itertools.permutations(_0)", "sliced", lambda a: _items(a, len(a), itertools.permutations), 6,
     "permutation order"),
    ("[list(group) for _, group in itertools.groupby(_0)]", "iter", _runs, 6, "consecutive group runs duplicates"),
    ("[_0[start:start + _1] for start in range(0, len(_0), _1)]", "sliced int", _chunks, 6, "chunk group size batch"),
    ("[_0[:end] for end in range(1, len(_0) + 1)]", "sliced",
     lambda a: [a[:end] for end in range(1, len(a) + 1)], 6, "prefix prefixes"),
    ("[list(row) for row in zip(*_0)]", "lists", _rows, 5, "transpose matrix column rows"),
    ("[item for part in _0 for item in part]", "lists", lambda a: [item for part in a for item in part], 4,
     "flatten nested flat single concatenate"),
    ("statistics.mean(_0)", "numlist", statistics.mean, 5, "mean average"),
    ("statistics.median(_0)", "numlist", statistics.median, 5, "median middle"),
    ("collections.Counter(_0).most_common(1)[0][0]", "ranked", _most_common, 5, "common frequent mode most often"),
    ("_0 > 1 and all(_0 % each for each in range(2, math.isqrt(_0) + 1))", "int", _is_prime, 6, "prime"),
    # What is often said in one breath.
    ("_0 % _1 == 0", "int int", lambda a, b: a % b == 0, 3,
     "divisible multiple even divides factor evenly leap divisor"),
    ("_0 % 2 == 1", "int", lambda a: a % 2 == 1, 4, "odd"),
    ("abs(_0 - _1)", "num num *", lambda a, b: abs(a - b), 4, "absolute difference distance apart closer"),
    ("_0 <= _1 <= _2", "scalar scalar scalar", lambda a, b, c: a <= b <= c, 4, "between within range inclusive"),
    ("_0[-_1:]", "sliced int", lambda a, b: a[-_natural(b - 1) - 1 :], 4, "last suffix end tail"),
    ("_0[:-_1]", "sliced int", lambda a, b: a[: -_natural(b - 1) - 1], 4, "last except without drop"),
    ("_0[_1:] + _0[:_1]", "sliced int", lambda a, b: a[b:] + a[:b], 5, "rotate shift cyclic left"),
    ("_0[-_1:] + _0[:-_1]", "sliced int", _rotated, 5, "rotate shift cyclic right"),
    ("_0 == _0[::-1]", "sliced", lambda a: a == a[::-1], 4, "palindrome symmetric backwards"),
    ("len(set(_0))", "ranked", lambda a: len(set(a)), 4, "unique distinct different"),
    ("sorted(set(_0))", "ranked", lambda a: sorted(set(a)), 4, "unique distinct different"),
    ("sum(_0) / len(_0)", "numlist", lambda a: sum(a) / len(a), 4, "mean average"),
    ("sorted(_0) == sorted(_1)", "items items *", lambda a, b: sorted(a) == sorted(b), 4, "anagram permutation same"),
    ("[int(digit) for digit in str(_0)]", "int", lambda a: [int(digit) for digit in str(_natural(a))], 4,
     "digit digits"),
    ("[each for each in range(1, _0 + 1) if _0 % each == 0]", "int", _divisors, 5, "divisor divisors factors factor"),
    ("[key for key, _ in itertools.groupby(_0)]", "iter", lambda a: [key for key, _ in itertools.groupby(a)], 5,
     "consecutive duplicates repeated successive"),
    ("_0[len(_0) // 2]", "sliced", lambda a: a[len(a) // 2], 5, "middle centre center"),
    # Sets and dictionaries.
    ("_0 & _1", "set set *", lambda a, b: a & b, 3, "common intersection both shared"),
    ("_0 | _1", "set set *", lambda a, b: a | b, 3, "union either all merge"),
    ("_0 - _1", "set set", lambda a, b: a - b, 3, "difference missing not without"),
    ("_0 ^ _1", "set set *", lambda a, b: a ^ b, 4, "symmetric difference only"),
    ("_0 <= _1", "set set", lambda a, b: a <= b, 4, "subset all every"),
    ("_0[_1]", "dict key", lambda a, b: a[b], 3, "value key lookup get"),
    ("_0.get(_1)", "dict key", lambda a, b: a.get(b), 4, "value key get none missing"),
    ("_0.get(_1, _2)", "dict key any", lambda a, b, c: a.get(b, c), 4, "value key default get missing"),
    ("_0.keys()", "dict", lambda a: Lazy(a), 3, "keys key"),
    ("_0.values()", "dict", lambda a: Lazy(a.values()), 2, "values value"),
    ("_0.items()", "dict", lambda a: Lazy(a.items()), 3, "items pairs key value"),
    ("{**_0, **_1}", "dict dict", lambda a, b: {**a, **b}, 3, "merge combine update"),
    ("dict(zip(_0, _1))", "seq seq", lambda a, b: dict(zip(a, b, strict=False)), 4, "dictionary map keys values zip"),
    ("dict(_0)", "lists", dict, 4, "dictionary map pairs"),
    ("dict(collections.Counter(_0))", "ranked", lambda a: dict(Counter(a)), 5, "count frequency histogram occurrence"),
    ("{value: key for key, value in _0.items()}", "dict", lambda a: {v: k for k, v in a.items()}, 4,
     "invert reverse swap"),
    ("max(_0, key=_0.get)", "dict", lambda a: max(a, key=a.get), 5, "key largest highest most maximum"),
    ("min(_0, key=_0.get)", "dict", lambda a: min(a, key=a.get), 6, "key smallest lowest minimum"),
]  # fmt: skip

OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(
        template,
        tuple(name for name in takes.split() if name != "*"),
        compute,
        cost,
        frozenset(words.split()),
        takes.endswith("*"),
    )
    for template, takes, compute, cost, words in _TABLE
)


def operation(template: str) -> Operation:
    """The first operation that is written like that."""
    return next(each for each in OPERATIONS if each.template == template)

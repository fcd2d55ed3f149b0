"""The part of the standard library that programs can import: what computes and does nothing else."""

from __future__ import annotations

import ast
import bisect
import cmath
import collections
import copy
import functools
import heapq
import itertools
import logging
import math
import numbers
import operator
import statistics
import string
import sys
from collections import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from codehunch.interpreter.calling import Builtin, Computed, FileModule, Function, Module, call, callback, makes
from codehunch.interpreter.class_statements import data_class, field, ordered_class
from codehunch.interpreter.classes import Property
from codehunch.interpreter.dates import KINDS
from codehunch.interpreter.enumerations import AUTO, PLAN, UNIQUE, named_tuple
from codehunch.interpreter.names import Thunk
from codehunch.interpreter.operators import BINARY, COMPARISONS
from codehunch.interpreter.running import MOST_BITS, Frame, Run, give_up
from codehunch.interpreter.testing_library import TEST_MODULES
from codehunch.interpreter.text_library import OS_PATH, TEXT_MODULES


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, Thunk]:
    """What the names that an import binds stand for. What is not known is so where it is used: a name stands for
    nothing until then. All names are bound by ``*``."""
    if isinstance(node, ast.Import):
        named = ((each.asname, each.name) for each in node.names)
        return {alias or name.partition(".")[0]: _module(name if alias else name.partition(".")[0])
                for alias, name in named}  # fmt: skip
    module, level = node.module or "", node.level
    return {each.asname or each.name: _member(module, level, each.name) for each in node.names}


def is_of_python(name: str, level: int) -> bool:
    """Whether an import means a module of Python's own."""
    return not level and (name in _MODULES or name.partition(".")[0] in sys.stdlib_module_names)


def everything_of(name: str) -> Mapping[str, Any] | None:
    """What ``from name import *`` brings; ``None`` where not all of it is known."""
    known = _MODULES.get(name)
    if known is None or not is_of_python(name, 0):
        return None
    every = getattr(sys.modules.get(name), "__dict__", {})
    return {each: known.get(each, _unknown(each)) for each in every if not each.startswith("_")}


def _module(name: str) -> Thunk:
    if is_of_python(name, 0):
        value = Module(name, _MODULES.get(name, {}))
        return lambda frame: value

    def find(frame: Frame) -> Module:
        found = frame.names.module(name, 0, frame.run)
        return FileModule(name, found, frame.run) if found is not None else _unknown(name)

    return find


def _member(module: str, level: int, name: str) -> Thunk:
    if is_of_python(module, level):
        inner = f"{module}.{name}"
        known = _MODULES.get(module, {}).get(name)
        value = known if known is not None else Module(inner, _MODULES.get(inner, {}))
        return lambda frame: value

    def find(frame: Frame) -> Any:
        found = frame.names.module(module, level, frame.run)
        return FileModule(module, found, frame.run).member(name) if found is not None else _unknown(name)

    return find


def _unknown(name: str) -> Module:
    """What stands for something that is not known: whatever is done with it ends the run."""
    return Module(name, {})


def _plain(function: Callable[..., Any]) -> Builtin:
    """One that takes no time and gives no more than a number."""
    return Builtin(function.__name__, lambda run, *arguments, **words: function(*arguments, **words))


def _of_items(function: Callable[..., Any]) -> Builtin:
    """One that goes through its first argument."""

    def run(run: Run, values: Any, *more: Any, **words: Any) -> Any:
        items = run.listed(values)
        run.tick(len(items))
        return function(items, *more, **words)

    return Builtin(function.__name__, run)


def _bounded(function: Callable[..., Any], bits: Callable[..., float]) -> Builtin:
    """One whose result may be large: ``bits`` tells how large at most."""

    def run(run: Run, *arguments: Any) -> Any:
        if all(isinstance(each, int) for each in arguments) and bits(*map(abs, arguments)) > MOST_BITS:
            give_up("a number is too large")
        run.tick(4)
        return function(*arguments)

    return Builtin(function.__name__, run)


def _product_of(run: Run, values: Any, *, start: Any = 1) -> Any:
    for each in run.items(values):
        start = BINARY[ast.Mult](run, start, each)
    return start


_MATH: Mapping[str, Any] = {
    **{name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")},
    **{
        name: _plain(getattr(math, name))
        for name in "acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh degrees dist erf exp expm1 fabs"
        " floor fmod frexp gcd hypot isclose isfinite isinf isnan isqrt ldexp log log10 log1p log2 modf pow radians"
        " remainder sin sinh sqrt tan tanh trunc cbrt gamma lgamma".split()
        if hasattr(math, name)
    },
    "factorial": _bounded(math.factorial, lambda n: n * max(1, n.bit_length())),
    "comb": _bounded(math.comb, lambda n, k: n + k),
    "perm": _bounded(math.perm, lambda n, k=0: n * max(1, n.bit_length())),
    "lcm": _bounded(math.lcm, lambda *numbers: sum(each.bit_length() for each in numbers)),
    "fsum": _of_items(math.fsum),
    "prod": Builtin("prod", _product_of),
}


def _lazily(function: Callable[..., Any], sources: slice = slice(None)) -> Builtin:
    """One that gives items as they are asked for: each is paid for."""

    def run(run: Run, *arguments: Any, **words: Any) -> Iterator[Any]:
        given = list(arguments)
        given[sources] = [run.items(each) for each in given[sources]]
        return run.items(function(*given, **words))

    return Builtin(function.__name__, run)


def _combined(function: Callable[..., Any], sources: slice) -> Builtin:
    """One that holds what it combines."""

    def run(run: Run, *arguments: Any, **words: Any) -> Iterator[Any]:
        given = list(arguments)
        given[sources] = [run.listed(each) for each in given[sources]]
        size = words.get("repeat", words.get("r", max([0, *(each for each in given[1:] if isinstance(each, int))])))
        if not isinstance(size, int) or size > 100:
            give_up("combines too many")
        return run.items(function(*given, **words))

    return Builtin(function.__name__, run)


def _calling(function: Callable[..., Any]) -> Builtin:
    """One that takes a function and items."""
    return Builtin(
        function.__name__, lambda run, called, values: run.items(function(callback(run, called), run.items(values)))
    )


def _accumulate(run: Run, values: Any, func: Any = None, *, initial: Any = None) -> Iterator[Any]:
    called = callback(run, func) if func is not None else lambda left, right: BINARY[ast.Add](run, left, right)
    return itertools.accumulate(run.items(values), called, initial=initial)


def _groupby(run: Run, values: Any, key: Any = None) -> Iterator[Any]:
    called = callback(run, key) if key is not None else None
    return run.items([(own, iter(list(group))) for own, group in itertools.groupby(run.listed(values), called)])


_ITERTOOLS: Mapping[str, Any] = {
    "accumulate": Builtin("accumulate", _accumulate),
    "chain": _lazily(itertools.chain),
    "combinations": _combined(itertools.combinations, slice(1)),
    "combinations_with_replacement": _combined(itertools.combinations_with_replacement, slice(1)),
    "compress": _lazily(itertools.compress),
    "count": _lazily(itertools.count, slice(0)),
    "cycle": _combined(itertools.cycle, slice(1)),
    "dropwhile": _calling(itertools.dropwhile),
    "filterfalse": _calling(itertools.filterfalse),
    "groupby": Builtin("groupby", _groupby),
    "islice": _lazily(itertools.islice, slice(1)),
    "pairwise": _lazily(itertools.pairwise, slice(1)),
    "permutations": _combined(itertools.permutations, slice(1)),
    "product": _combined(itertools.product, slice(None)),
    "repeat": _lazily(itertools.repeat, slice(0)),
    "starmap": Builtin(
        "starmap", lambda run, called, values: (call(run, called, run.listed(each)) for each in run.items(values))
    ),
    "takewhile": _calling(itertools.takewhile),
    "zip_longest": _lazily(itertools.zip_longest),
}


def _reduce(run: Run, function: Any, values: Any, *initial: Any) -> Any:
    return functools.reduce(callback(run, function), run.items(values), *initial)


def _partial(run: Run, function: Any, *given: Any, **named: Any) -> Builtin:
    return Builtin("partial", lambda run, *more, **words: call(run, function, (*given, *more), {**named, **words}))


_AS_IT_IS = Builtin("decorator", lambda run, function: function)
"""A decorator that makes no difference to what is computed."""


def _kept(run: Run, *given: Any, **words: Any) -> Any:
    """``lru_cache``, with a size or without: pure functions give the same again."""
    return given[0] if given and isinstance(given[0], Function) else _AS_IT_IS


def _compared_by(run: Run, function: Any) -> Builtin:
    key = functools.cmp_to_key(callback(run, function))
    return Builtin("key", lambda run, value: key(value))


def _itemgetter(run: Run, *keys: Any) -> Builtin:
    get = operator.itemgetter(*keys)
    return Builtin("itemgetter", lambda run, value: get(value))


def _counter(run: Run, values: Any = (), **words: Any) -> Any:
    given = values if isinstance(values, dict) else run.listed(values)
    return collections.Counter(given, **words)


def _defaultdict(run: Run, factory: Any = None, *values: Any, **words: Any) -> Any:
    if factory is not None and not (isinstance(factory, type) or hasattr(factory, "invoke")):
        raise TypeError("first argument must be callable or None")
    made = callback(run, factory) if factory is not None else None
    given = [each if isinstance(each, dict) else run.listed(each) for each in values]
    return collections.defaultdict(made, *given, **words)


def _deque(run: Run, values: Any = (), maxlen: Any = None) -> Any:
    return collections.deque(run.listed(values), maxlen)


def _ordered_dict(run: Run, values: Any = (), **words: Any) -> Any:
    given = values if isinstance(values, dict) else [run.listed(each) for each in run.items(values)]
    return collections.OrderedDict(given, **words)


for _kind, _make in (
    (collections.Counter, _counter),
    (collections.defaultdict, _defaultdict),
    (collections.deque, _deque),
    (collections.OrderedDict, _ordered_dict),
):
    makes(_kind, _make)


def _on_a_heap(function: Callable[..., Any]) -> Builtin:
    """One that keeps a list in the order of a heap."""

    def run(run: Run, heap: list[Any], *values: Any) -> Any:
        run.weigh(heap)
        run.tick(4)
        return function(heap, *values)

    return Builtin(function.__name__, run)


def _extremes(function: Callable[..., Any]) -> Builtin:
    return Builtin(
        function.__name__,
        lambda run, count, values, key=None: function(
            count, run.listed(values), callback(run, key) if key is not None else None
        ),
    )


def _searched(function: Callable[..., Any]) -> Builtin:
    def run(run: Run, values: Any, *arguments: Any) -> Any:
        run.tick(4)
        return function(run.sized(values), *arguments)

    return Builtin(function.__name__, run)


def _copied(run: Run, value: Any) -> Any:
    run.weigh(value)
    return copy.copy(value)


def _deeply_copied(run: Run, value: Any) -> Any:
    run.weigh(value)
    run.weigh(value)
    return copy.deepcopy(value)


_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor", ast.LShift: "lshift", ast.RShift: "rshift",
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip

_LEVELS = {name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET")}
_LOGGED = {
    name: Computed(name, lambda run, *said, **words: None)
    for name in ("critical", "debug", "error", "exception", "info", "log", "warning")
}
"""What is logged is not what a function gives: who looks into the log uses what is not known here."""
_LOGGER = Module("logger", _LOGGED)
_ABSTRACT: Mapping[str, Any] = {
    name: getattr(abc, name) for name in ("Collection", "Hashable", "Iterable", "Mapping", "Sequence", "Set", "Sized")
}
_MODULES: Mapping[str, Mapping[str, Any]] = {
    **TEXT_MODULES,
    **TEST_MODULES,
    "os": {"path": Module("os.path", OS_PATH)},
    "urllib": {"parse": Module("urllib.parse", TEXT_MODULES["urllib.parse"])},
    "math": _MATH,
    "cmath": {name: _plain(getattr(cmath, name)) for name in ("sqrt", "exp", "phase", "polar", "rect")},
    "itertools": _ITERTOOLS,
    "functools": {
        "reduce": Builtin("reduce", _reduce),
        "partial": Builtin("partial", _partial),
        "cache": _AS_IT_IS,
        "cached_property": Builtin("cached_property", lambda run, getter: Property(getter, is_kept=True)),
        "lru_cache": Builtin("lru_cache", _kept),
        "total_ordering": Builtin("total_ordering", ordered_class),
        "wraps": Builtin("wraps", lambda run, *function, **words: _AS_IT_IS),
        "cmp_to_key": Builtin("cmp_to_key", _compared_by),
    },
    "collections": {
        "Counter": collections.Counter,
        "defaultdict": collections.defaultdict,
        "deque": collections.deque,
        "OrderedDict": collections.OrderedDict,
        "abc": Module("collections.abc", _ABSTRACT),
        "namedtuple": Builtin("namedtuple", named_tuple),
    },
    "collections.abc": _ABSTRACT,
    "abc": {"abstractmethod": _AS_IT_IS},
    "datetime": KINDS,
    "enum": {"Enum": PLAN, "auto": Builtin("auto", lambda run: AUTO), "unique": UNIQUE},
    "logging": {"getLogger": Builtin("getLogger", lambda run, *name: _LOGGER), **_LEVELS, **_LOGGED},
    "dataclasses": {"dataclass": Builtin("dataclass", data_class), "field": Builtin("field", field)},
    "sys": {"maxsize": sys.maxsize, "version_info": tuple(sys.version_info[:3])},
    "typing": {
        **dict.fromkeys(("final", "override", "runtime_checkable", "no_type_check"), _AS_IT_IS),
        "cast": Builtin("cast", lambda run, kind, value: value),
        "TYPE_CHECKING": False,
    },
    "numbers": {name: getattr(numbers, name) for name in ("Number", "Integral", "Real", "Complex", "Rational")},
    "operator": {
        **{name: Builtin(name, BINARY[node]) for node, name in _BINARY.items()},
        **{name: Builtin(name, COMPARISONS[node]) for node, name in _COMPARISONS.items()},
        "neg": _plain(operator.neg),
        "not_": _plain(operator.not_),
        "itemgetter": Builtin("itemgetter", _itemgetter),
        "contains": Builtin("contains", lambda run, holder, item: COMPARISONS[ast.In](run, item, holder)),
    },
    "string": {
        name: getattr(string, name)
        for name in "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable punctuation"
        " whitespace".split()
    },
    "heapq": {
        **{
            name: _on_a_heap(getattr(heapq, name))
            for name in ("heapify", "heappop", "heappush", "heappushpop", "heapreplace")
        },
        **{name: _extremes(getattr(heapq, name)) for name in ("nlargest", "nsmallest")},
    },
    "bisect": {
        name: _searched(getattr(bisect, name))
        for name in ("bisect", "bisect_left", "bisect_right", "insort", "insort_left", "insort_right")
    },
    "copy": {"copy": Builtin("copy", _copied), "deepcopy": Builtin("deepcopy", _deeply_copied)},
    "statistics": {
        name: _of_items(getattr(statistics, name)) for name in ("mean", "median", "mode", "stdev", "pstdev", "variance")
    },
}  # fmt: skip

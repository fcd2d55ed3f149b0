"""Python's own functions, each kept from taking long and from reaching out."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from codehunch.interpreter.attributes import (
    DATA,
    attribute,
    encoding_known,
    formatted,
    in_order,
    put_attribute,
    represented,
    shown,
)
from codehunch.interpreter.calling import Builtin, Computed, Function, Invocable, Module, Raised, callback, makes
from codehunch.interpreter.classes import Class, ClassMethod, Instance, Property, StaticMethod, Super, has, is_a, is_of
from codehunch.interpreter.operators import power
from codehunch.interpreter.running import MOST_ITEMS, Run, give_up

_UNSET: Any = object()
_OTHERWISE = 0x5BD1E995


def _str(run: Run, value: Any = "", *more: Any) -> Any:
    if more:
        encoding_known(*more)
        return run.sized(str(value, *more))
    return shown(run, value)


def _int(run: Run, value: Any = 0, *base: Any, **words: Any) -> int:
    if isinstance(value, str):
        run.charge(len(value))
    return int(value, *base, **words)


def _list(run: Run, values: Any = ()) -> list[Any]:
    return run.listed(values)


def _tuple(run: Run, values: Any = ()) -> tuple[Any, ...]:
    return tuple(run.listed(values))


def _set(run: Run, values: Any = ()) -> set[Any]:
    return set(run.listed(values))


def _frozenset(run: Run, values: Any = ()) -> frozenset[Any]:
    return frozenset(run.listed(values))


def _dict(run: Run, values: Any = (), **words: Any) -> dict[Any, Any]:
    given = values if isinstance(values, dict) else [run.listed(each) for each in run.items(values)]
    run.charge(len(given))
    return dict(given, **words)


def _bytes(run: Run, value: Any = b"", *encoding: Any) -> bytes:
    if isinstance(value, int):
        if value > MOST_ITEMS:
            give_up("a value is too large")
        return bytes(value)
    if isinstance(value, str) and encoding:
        encoding_known(*encoding)
        return run.sized(bytes(run.sized(value), *encoding))  # type: ignore[no-any-return]
    return bytes(value, *encoding) if isinstance(value, str) else bytes(run.listed(value))


def _type(run: Run, value: Any, *parts: Any) -> Any:
    if isinstance(value, Instance) and not parts:
        return value.kind
    if parts or isinstance(value, Invocable | Module | Super):
        give_up("asks for a type that is not known here")
    return type(value)


def _object(run: Run) -> Any:
    return Instance(Class("object", (), {}), run)


def _sum(run: Run, values: Any, start: Any = 0) -> Any:
    if isinstance(start, str):
        raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
    items = run.listed(values)
    if all(isinstance(each, int | float) for each in items) and isinstance(start, int | float):
        return run.sized(sum(items, start))
    for each in items:
        run.tick()
        start = run.sized(start + each)
    return start


def _extreme(name: str) -> Callable[..., Any]:
    compute = getattr(builtins, name)

    def run(run: Run, *values: Any, key: Any = None, default: Any = _UNSET) -> Any:
        items = run.listed(values[0]) if len(values) == 1 else list(values)
        run.weigh(items)
        if not values:
            raise TypeError(f"{name} expected at least 1 argument, got 0")
        if not items and default is not _UNSET:
            return default
        return compute(items, key=callback(run, key) if key is not None else None)

    return run


def _any(run: Run, values: Any) -> bool:
    return any(run.items(values))


def _all(run: Run, values: Any) -> bool:
    return all(run.items(values))


def _map(run: Run, function: Any, *sources: Any) -> Iterator[Any]:
    called = callback(run, function)
    return map(called, *(run.items(each) for each in sources))


def _filter(run: Run, function: Any, values: Any) -> Iterator[Any]:
    return filter(callback(run, function) if function is not None else None, run.items(values))


def _zip(run: Run, *sources: Any, strict: bool = False) -> Iterator[Any]:
    return zip(*(run.items(each) for each in sources), strict=strict)


def _enumerate(run: Run, values: Any, start: int = 0) -> Iterator[Any]:
    return enumerate(run.items(values), start)


def _reversed(run: Run, values: Any) -> Iterator[Any]:
    if isinstance(values, Invocable):
        give_up("reverses what is not known here")
    found: Iterator[Any] = reversed(values)
    return found


def _iter(run: Run, values: Any, *until: Any) -> Iterator[Any]:
    if until:
        called = callback(run, values)
        return iter(lambda: called(), until[0])
    return run.ordered(values)


def _next(run: Run, values: Any, *default: Any) -> Any:
    return next(values, *default)


def _round(run: Run, value: Any, ndigits: Any = None) -> Any:
    if isinstance(ndigits, int) and abs(ndigits) > 400:
        give_up("rounds to more digits than there are")
    return round(value, ndigits)


def _isinstance(run: Run, value: Any, kinds: Any) -> bool:
    if isinstance(value, Invocable) and not isinstance(value, Instance):
        return _is_a_function_of(value, kinds)
    return is_of(value, kinds)


def _is_a_function_of(value: Invocable, kinds: Any) -> bool:
    """Whether what can be called is of a kind: it is of no kind of data, nor of a class of the program."""
    every = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(each, Class) or each in DATA for each in every):
        give_up("asks for the type of a function")
    return False


def _hash(run: Run, value: Any) -> int:
    """Of texts it is another in each process: backwards it differs too, so that nobody counts on it."""
    run.shallow(value)
    return hash(value) ^ (_OTHERWISE if run.backwards else 0)


def _hasattr(run: Run, value: Any, name: Any) -> bool:
    if isinstance(value, Instance) and isinstance(name, str):
        return has(value, name)
    if isinstance(value, Function | Raised) and not name.startswith("__"):
        try:
            attribute(run, value, name)
        except AttributeError:
            return False
        return True
    if isinstance(value, Invocable) and name == "__call__":
        return True
    if not isinstance(value, (*DATA, range, re.Match)):
        give_up("asks what has an attribute that is not known here")
    return hasattr(value, name)


def _getattr(run: Run, value: Any, name: Any, default: Any = _UNSET) -> Any:
    if not isinstance(name, str) or name.startswith("__"):
        give_up("asks for an attribute that is not known here")
    try:
        return attribute(run, value, name)
    except AttributeError:
        if default is _UNSET:
            raise
        return default


def _setattr(run: Run, value: Any, name: Any, new: Any) -> None:
    put_attribute(value, name if isinstance(name, str) else give_up("sets what is no name"), new)


def _callable(run: Run, value: Any) -> bool:
    if isinstance(value, Instance):
        return value.says("__call__")
    return isinstance(value, Invocable | type)


def _plain(name: str) -> Callable[..., Any]:
    compute = getattr(builtins, name)
    return lambda run, *arguments: compute(*arguments)


def _print(run: Run, *values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
    if file is not None:
        give_up("prints into a file")
    for each in values:
        shown(run, each)
    run.prints = True


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _plain(name) for name in ("abs", "bin", "chr", "divmod", "hex", "len", "oct", "ord")},
    "all": _all,
    "any": _any,
    "callable": _callable,
    "enumerate": _enumerate,
    "filter": _filter,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "hash": _hash,
    "issubclass": lambda run, kind, kinds: is_a(kind, kinds),
    "setattr": _setattr,
    "format": lambda run, value, spec="": formatted(run, value, spec),
    "isinstance": _isinstance,
    "iter": _iter,
    "map": _map,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "next": _next,
    "pow": power,
    "repr": represented,
    "reversed": _reversed,
    "round": _round,
    "sorted": lambda run, values, *, key=None, reverse=False: in_order(run, values, key, reverse),
    "classmethod": lambda run, function: ClassMethod(function),
    "property": lambda run, getter, setter=None: Property(getter, setter),
    "staticmethod": lambda run, function: StaticMethod(function),
    "sum": _sum,
    "zip": _zip,
}
_TYPES: Mapping[type, Callable[..., Any]] = {
    bool: lambda run, *value: bool(*value),
    bytes: _bytes,
    complex: lambda run, *parts, **words: complex(*parts, **words),
    dict: _dict,
    float: lambda run, *value: float(*value),
    frozenset: _frozenset,
    int: _int,
    list: _list,
    range: lambda run, *bounds: range(*bounds),
    slice: lambda run, *bounds: slice(*bounds),
    object: _object,
    set: _set,
    str: _str,
    tuple: _tuple,
    type: _type,
}
_ERRORS = tuple(
    each
    for each in vars(builtins).values()
    if isinstance(each, type) and issubclass(each, Exception) and not issubclass(each, OSError | Warning | SyntaxError)
    and each not in (RecursionError, MemoryError) and not issubclass(each, UnicodeError)
)  # fmt: skip

for _kind, _make in _TYPES.items():
    makes(_kind, _make)
for _error in _ERRORS:
    makes(_error, lambda run, *arguments, _error=_error: _error(*arguments))

BUILTINS: Mapping[str, Any] = {
    **{name: Builtin(name, compute) for name, compute in _FUNCTIONS.items()},
    **{kind.__name__: kind for kind in (*_TYPES, *_ERRORS)},
    "print": Computed("print", _print),
    "NotImplemented": NotImplemented,
    "__name__": "a file",
}
"""What programs find where neither they nor their file define a name. What is missing ends the run."""

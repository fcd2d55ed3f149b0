"""What values of Python's own types have: their methods and items, and how they are shown in text.

A method is known by the type it belongs to. What is not listed does not exist for a program.
"""

from __future__ import annotations

import re
import string
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from codehunch.interpreter import dates
from codehunch.interpreter.calling import Builtin, Function, Invocable, Module, Raised, call, callback
from codehunch.interpreter.classes import Class, Instance, Property, Super, of_an_error, put_at_an_error
from codehunch.interpreter.dates import DATES
from codehunch.interpreter.enumerations import of_a_named_tuple
from codehunch.interpreter.patterns import MATCH_METHODS, PATTERN_METHODS, Pattern
from codehunch.interpreter.running import MOST_ITEMS, Dispatching, Run, give_up

_LONG_FIELD = re.compile(r"\d{4,}")
_PLAIN: Mapping[type, str] = {
    str: "capitalize casefold count endswith find format index isalnum isalpha isascii isdecimal isdigit isidentifier"
    " islower isnumeric isprintable isspace istitle isupper lower lstrip partition removeprefix removesuffix rfind"
    " rindex rpartition rsplit rstrip split splitlines startswith strip swapcase title upper",
    bytes: "count endswith find hex index isalnum isalpha isdigit lower lstrip rstrip split startswith strip upper",
    list: "append clear copy count index insert pop remove reverse",
    tuple: "count index",
    dict: "clear copy get items keys pop popitem setdefault values",
    set: "add clear copy discard remove",
    frozenset: "copy",
    int: "as_integer_ratio bit_count bit_length conjugate",
    float: "as_integer_ratio is_integer",
    complex: "conjugate",
    deque: "append appendleft clear copy count index insert pop popleft remove reverse rotate",
    OrderedDict: "move_to_end",
}
"""Methods that take no more than a look at each item, and give no more than they are given."""
_OF_ITERABLES: Mapping[type, str] = {
    list: "extend",
    dict: "update",
    set: "difference difference_update intersection intersection_update isdisjoint issubset issuperset"
    " symmetric_difference symmetric_difference_update union update",
    frozenset: "difference intersection isdisjoint issubset issuperset symmetric_difference union",
    deque: "extend extendleft",
    Counter: "subtract update",
}
"""Methods that go through what they are given."""
DATA = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, deque, type(None), *DATES)
_VALUES: Mapping[type, tuple[str, ...]] = {
    int: ("real", "imag", "numerator", "denominator"),
    float: ("real", "imag"),
    complex: ("real", "imag"),
    **dates.VALUES,
}
"""What a value has that is no method."""


def attribute(run: Run, owner: Any, name: str) -> Any:
    """``owner.name``. Raises AttributeError where a value of Python's own has none, Undecided where that is open."""
    if isinstance(owner, Module):
        return owner.member(name)
    if isinstance(owner, Instance | Class | Super | Property):
        run.tick()
        found = owner.attribute(name)
        if isinstance(found, Module) and not found.is_known:
            give_up(f"`{found.name}` is not known")
        return found
    if isinstance(owner, type):
        return _of_a_type(owner, name)
    if isinstance(owner, Function):
        return _of_a_function(owner, name)
    kind = type(owner)
    if isinstance(owner, Raised):
        return of_an_error(run, owner, name)
    if isinstance(owner, Exception) and name == "args":
        return owner.args
    if kind is Pattern and name in PATTERN_METHODS:
        return Builtin(name, partial(_bound, PATTERN_METHODS[name], owner))
    if kind is re.Match and name in MATCH_METHODS:
        return Builtin(name, partial(_bound, _method(name), owner))
    for base in kind.__mro__:
        if name in _VALUES.get(base, ()):
            return getattr(owner, name)
        compute = _METHODS.get((base, name))
        if compute is not None:
            return Builtin(name, partial(_bound, compute, owner))
    if isinstance(owner, tuple) and (found := of_a_named_tuple(owner, name)) is not NotImplemented:
        return found
    if isinstance(owner, DATA) and not hasattr(owner, name):
        raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")
    return give_up(f"`.{name}` is not known")


def _of_a_function(owner: Function, name: str) -> Any:
    if name in owner.values:
        return owner.values[name]
    if name in ("__name__", "__qualname__"):
        return owner.shape.name
    if name.startswith("__"):
        give_up(f"`.{name}` is not known")
    raise AttributeError(f"'function' object has no attribute '{name}'")


def put_attribute(owner: Any, name: str, value: Any) -> None:
    """``owner.name = value``. Raises AttributeError, Undecided."""
    if isinstance(owner, Raised):
        put_at_an_error(owner, name, value)
        return
    if isinstance(owner, Function):
        owner.values[name] = value
        return
    if not isinstance(owner, Instance):
        give_up("changes what is not known here")
    owner.put(name, value)


def _bound(compute: Callable[..., Any], owner: Any, run: Run, *arguments: Any, **words: Any) -> Any:
    return compute(run, owner, *arguments, **words)


def _of_a_type(owner: type, name: str) -> Any:
    if name == "__name__":
        return owner.__name__
    if owner in (dict, OrderedDict) and name == "fromkeys":
        return Builtin(name, lambda run, keys, value=None: owner.fromkeys(run.listed(keys), value))
    if owner is str and name == "maketrans":
        return Builtin(name, lambda run, *parts: str.maketrans(*parts))
    found = dates.of_a_kind(owner, name)
    if found is not NotImplemented:
        return found
    for base in owner.__mro__:
        compute = _METHODS.get((base, name))
        if compute is not None:
            return Builtin(name, compute)
    return give_up(f"`.{name}` is not known")


def item(run: Run, owner: Any, index: Any) -> Any:
    """``owner[index]``."""
    if isinstance(owner, Dispatching):
        run.tick()
        return owner[index]  # type: ignore[index]
    if isinstance(owner, Invocable | type | Module | Super):
        give_up("takes an item of what holds none")
    if isinstance(index, slice) and hasattr(owner, "__len__"):
        run.charge(len(owner))
    if type(owner) is defaultdict and index not in owner:
        run.tick()
        if owner.default_factory is None:
            raise KeyError(index)
        owner[index] = owner.default_factory()
    return owner[index]


def formatted(run: Run, value: Any, spec: str = "", conversion: int = -1) -> str:
    """A value in an f-string, or for ``format``; ``conversion`` as in ``ast.FormattedValue``."""
    if conversion == ord("a"):
        give_up("shows ASCII alone")
    if conversion != -1:
        value = shown(run, value) if conversion == ord("s") else represented(run, value)
    if _LONG_FIELD.search(spec):
        give_up("a field is too wide")
    return format(_seen(run, value), spec)


def shown(run: Run, value: Any) -> str:
    """``str(value)``."""
    if isinstance(value, Raised) and value.kind.find("__str__", None) is not None:
        return str(call(run, of_an_error(run, value, "__str__")))
    return str(run.sized(str(_seen(run, value))))


def represented(run: Run, value: Any) -> str:
    """``repr(value)``."""
    return str(run.sized(repr(_seen(run, value))))


def _seen(run: Run, value: Any) -> Any:
    """A value that can be shown: of Python's own, and the same each time. Raises Undecided."""
    waiting, count = [value], 0
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, Instance) and (each.says("__repr__") or (count == 1 and each.says("__str__"))):
            continue
        if isinstance(each, Raised) and each.kind.find("__str__", each.kind.find("__repr__", None)) is not None:
            give_up("shows an error that shows itself otherwise")
        if count > MOST_ITEMS or not isinstance(each, (*DATA, Exception, range)):
            give_up("shows what is not known here")
        if isinstance(each, set | frozenset) and len(each) > 1:
            give_up("shows a set")
        if isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list | tuple | deque | set | frozenset):
            waiting.extend(each)
        elif isinstance(each, Exception):
            waiting.extend(each.args)
    run.charge(count)
    return value


def _method(name: str) -> Callable[..., Any]:
    compares = name in ("count", "index", "remove")

    def run(run: Run, owner: Any, *arguments: Any, **words: Any) -> Any:
        if hasattr(owner, "__len__"):
            run.charge(len(owner))
        if compares:
            run.weigh(owner)
        for each in arguments:
            run.shallow(each)
        return getattr(owner, name)(*arguments, **words)

    return run


def _method_of_iterables(name: str) -> Callable[..., Any]:
    def run(run: Run, owner: Any, *arguments: Any, **words: Any) -> Any:
        run.charge(len(owner))
        given = [each if isinstance(each, dict | set | frozenset) else run.listed(each) for each in arguments]
        if isinstance(owner, list | deque):
            given = [run.listed(each) for each in arguments]
        found = getattr(owner, name)(*given, **words)
        run.sized(owner)
        return found

    return run


def _join(run: Run, owner: str, parts: Any) -> str:
    texts = run.listed(parts)
    if len(owner) * len(texts) + sum(len(each) for each in texts if isinstance(each, str)) > MOST_ITEMS:
        give_up("a text is too long")
    return owner.join(texts)


def _replace(run: Run, owner: str, old: str, new: str, count: int = -1) -> str:
    if isinstance(old, str) and isinstance(new, str) and (owner.count(old) + 1) * len(new) > MOST_ITEMS:
        give_up("a text is too long")
    run.charge(len(owner))
    return owner.replace(old, new, count)


def _padded(name: str) -> Callable[..., Any]:
    compute = getattr(str, name)

    def run(run: Run, owner: str, width: int = 8, *fill: str) -> Any:
        if isinstance(width, int) and width > MOST_ITEMS:
            give_up("a text is too long")
        return run.sized(compute(owner, width, *fill))

    return run


def _format(run: Run, owner: str, *arguments: Any, **words: Any) -> Any:
    for _, field, spec, _ in string.Formatter().parse(owner):
        if _LONG_FIELD.search(spec or "") or "{" in (spec or "") or "." in (field or "") or "[" in (field or ""):
            give_up("uses a field that is not known here")
    for each in (*arguments, *words.values()):
        _seen(run, each)
    return run.sized(owner.format(*arguments, **words))


_ENCODINGS = frozenset("ascii latin-1 latin1 iso-8859-1 utf-8 utf8 utf-8-sig utf-16 utf-16-le utf-16-be".split())
_ERRORS = frozenset("strict ignore replace backslashreplace xmlcharrefreplace namereplace surrogateescape".split())


def encoding_known(encoding: Any, errors: Any = "strict") -> None:
    """To look for an encoding imports the modules that may have it: only those are known that Python has at hand.
    Raises Undecided."""
    if not isinstance(encoding, str) or encoding.lower().replace("_", "-") not in _ENCODINGS:
        give_up("uses an encoding that is not known here")
    if errors not in _ERRORS:
        give_up("treats errors of an encoding in a way that is not known here")


def _coded(name: str) -> Callable[..., Any]:
    def run(run: Run, owner: Any, encoding: Any = "utf-8", errors: Any = "strict") -> Any:
        encoding_known(encoding, errors)
        return run.sized(getattr(run.sized(owner), name)(encoding, errors))

    return run


def _translate(run: Run, owner: str, table: Any) -> Any:
    if not isinstance(table, dict):
        give_up("translates by what is not known here")
    longest = max((len(each) for each in table.values() if isinstance(each, str)), default=1)
    if longest * len(owner) > MOST_ITEMS:
        give_up("a text is too long")
    return run.sized(owner.translate(table))


def _sort(run: Run, owner: list[Any], *, key: Any = None, reverse: Any = False) -> None:
    owner[:] = in_order(run, owner, key, reverse)


def in_order(run: Run, values: Any, key: Any = None, reverse: Any = False) -> list[Any]:
    """``sorted(values, key=key, reverse=reverse)``."""
    found = run.listed(values)
    run.weigh(found)
    run.charge(4 * len(found))
    found.sort(key=callback(run, key) if key is not None else None, reverse=reverse)
    return found


def _pop_of_a_set(run: Run, owner: set[Any]) -> Any:
    if len(owner) > 1:
        give_up("takes any item of a set")
    return owner.pop()


def _elements(run: Run, owner: Counter[Any]) -> Any:
    return iter(run.listed(owner.elements()))


_METHODS: dict[tuple[type, str], Callable[..., Any]] = {
    **{(kind, name): _method(name) for kind, names in _PLAIN.items() for name in names.split()
       if hasattr(kind, name)},
    **{(kind, name): _method_of_iterables(name) for kind, names in _OF_ITERABLES.items() for name in names.split()},
    **{(str, name): _padded(name) for name in ("center", "expandtabs", "ljust", "rjust", "zfill")},
    **{(kind, name): _method(name) for kind, names in dates.METHODS.items() for name in names.split()},
    **{(dates.KINDS[kind], "strftime"): dates.shown_by for kind in ("date", "time")},
    (str, "join"): _join,
    (str, "replace"): _replace,
    (str, "format"): _format,
    (str, "encode"): _coded("encode"),
    (bytes, "decode"): _coded("decode"),
    (str, "translate"): _translate,
    (list, "sort"): _sort,
    (set, "pop"): _pop_of_a_set,
    (Counter, "most_common"): _method("most_common"),
    (Counter, "elements"): _elements,
}  # fmt: skip

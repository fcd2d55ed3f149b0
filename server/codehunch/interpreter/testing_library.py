"""What tests use: the assertions of ``unittest``, and of pytest what needs no run of its own."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from codehunch.interpreter.calling import Builtin, Computed, Module, call
from codehunch.interpreter.classes import Class, Instance, is_of
from codehunch.interpreter.operators import COMPARISONS
from codehunch.interpreter.running import Run, Unmet, give_up

_RELATIVE, _ABSOLUTE = 1e-6, 1e-12
"""How close ``approx`` takes to be equal (pytest's own defaults)."""


def _compares(name: str, compare: Callable[[Run, Any, Any], Any], sign: str) -> Computed:
    """An assertion of two values; ``sign`` says what has to stand between them."""

    def run(run: Run, case: Any, first: Any, second: Any, msg: Any = None) -> None:
        if not compare(run, first, second):
            run.fail(Unmet(first, second, sign))

    return Computed(name, run)


def _holds(name: str, wanted: Any, test: Callable[[Any], bool]) -> Computed:
    """An assertion of one value."""

    def run(run: Run, case: Any, value: Any, msg: Any = None) -> None:
        if not test(value):
            run.fail(Unmet(value, wanted, "is"))

    return Computed(name, run)


def _almost(run: Run, case: Any, first: Any, second: Any, places: Any = 7, msg: Any = None, delta: Any = None) -> None:
    apart = abs(first - second)
    if first != second and not (apart <= delta if delta is not None else round(apart, places or 7) == 0):
        run.fail(Unmet(first, second, "=="))


def _same_count(run: Run, case: Any, first: Any, second: Any, msg: Any = None) -> None:
    one, other = run.listed(first), run.listed(second)
    if Counter(map(repr, one)) != Counter(map(repr, other)):
        run.fail(Unmet(one, other, "=="))


def _fail(run: Run, case: Any, msg: Any = None) -> None:
    run.fail(None)


def _expecting(run: Run, kinds: Any, *called: Any, match: Any = None, **words: Any) -> Any:
    """``raises(kinds)`` as a context, or with what is to be called."""
    for each in kinds if isinstance(kinds, tuple) else (kinds,):
        if not isinstance(each, type) or not issubclass(each, Exception):
            give_up("expects what is not known here")
    made = Instance(_EXPECTED, run)
    made.values |= {"kinds": kinds, "match": match}
    if not called:
        return made
    function, *arguments = called
    try:
        call(run, function, arguments, words)
    except Exception as error:
        if made.speak("__exit__", type(error), error, None):
            return made
        raise
    return made.speak("__exit__", None, None, None)


def _ended(run: Run, made: Instance, kind: Any, error: Any, trace: Any) -> bool:
    kinds = made.values["kinds"]
    if error is None:
        run.fail(Unmet(None, kinds, "raises"))
    if not isinstance(error, kinds):
        return False
    match = made.values["match"]
    if match is not None and not (isinstance(match, str) and match in str(error)):
        give_up("expects a message")
    made.values["value"] = made.values["exception"] = error
    return True


_EXPECTED = Class(
    "raises", (), {"__enter__": Builtin("enter", lambda run, made: made), "__exit__": Computed("exit", _ended)}
)
_PART = Class(
    "subTest",
    (),
    {
        "__enter__": Builtin("enter", lambda run, made: made),
        "__exit__": Builtin("exit", lambda run, made, *error: False),
    },
)


def _approximately(run: Run, wanted: Any, rel: Any = None, abs: Any = None) -> Instance:
    made = Instance(_APPROXIMATE, run)
    made.values |= {"wanted": wanted, "rel": rel, "abs": abs}
    return made


def _is_close(run: Run, made: Instance, value: Any) -> bool:
    rel, absolute = made.values["rel"], made.values["abs"]
    if rel is None:
        rel = _RELATIVE if absolute is None else 0.0

    def close(one: Any, other: Any) -> bool:
        run.tick()
        if isinstance(other, list | tuple):
            return type(one) is type(other) and len(one) == len(other) and all(map(close, one, other))
        if isinstance(other, dict):
            return (
                isinstance(one, dict) and one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
            )
        if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(other, bool):
            return math.isclose(one, other, rel_tol=0.0, abs_tol=max(rel * math.fabs(other), absolute or _ABSOLUTE))
        return bool(one == other)

    return close(value, made.values["wanted"])


_APPROXIMATE = Class(
    "approx",
    (),
    {
        "__eq__": Builtin("eq", lambda run, made, value: _is_close(run, made, value)),
        "__repr__": Builtin("repr", lambda run, made: f"about {made.values['wanted']!r}"),
    },
)


def _negated(compare: Callable[[Run, Any, Any], Any]) -> Callable[[Run, Any, Any], Any]:
    return lambda run, first, second: not compare(run, first, second)


def _kind(run: Run, value: Any, kinds: Any) -> bool:
    return is_of(value, kinds)


_BY_NAME = {node.__name__: compare for node, compare in COMPARISONS.items()}
_EQUAL = _BY_NAME["Eq"]
_ASSERTIONS: Mapping[str, Any] = {
    **{
        name: _compares(name, _EQUAL, "==")
        for name in "assertEqual assertEquals assertListEqual assertDictEqual assertTupleEqual assertSetEqual"
        " assertSequenceEqual assertMultiLineEqual".split()
    },
    "assertNotEqual": _compares("assertNotEqual", _negated(_EQUAL), "!="),
    "assertIs": _compares("assertIs", _BY_NAME["Is"], "is"),
    "assertIsNot": _compares("assertIsNot", _BY_NAME["IsNot"], "is not"),
    "assertIn": _compares("assertIn", _BY_NAME["In"], "in"),
    "assertNotIn": _compares("assertNotIn", _BY_NAME["NotIn"], "not in"),
    "assertGreater": _compares("assertGreater", _BY_NAME["Gt"], ">"),
    "assertGreaterEqual": _compares("assertGreaterEqual", _BY_NAME["GtE"], ">="),
    "assertLess": _compares("assertLess", _BY_NAME["Lt"], "<"),
    "assertLessEqual": _compares("assertLessEqual", _BY_NAME["LtE"], "<="),
    "assertIsInstance": _compares("assertIsInstance", _kind, "is a"),
    "assertNotIsInstance": _compares("assertNotIsInstance", _negated(_kind), "is no"),
    "assertTrue": _holds("assertTrue", True, bool),
    "assertFalse": _holds("assertFalse", False, operator.not_),
    "assertIsNone": _holds("assertIsNone", None, lambda value: value is None),
    "assertIsNotNone": _holds("assertIsNotNone", "something", lambda value: value is not None),
    "assertAlmostEqual": Computed("assertAlmostEqual", _almost),
    "assertAlmostEquals": Computed("assertAlmostEquals", _almost),
    "assertCountEqual": Computed("assertCountEqual", _same_count),
    "assertRaises": Computed("assertRaises", lambda run, case, *given, **words: _expecting(run, *given, **words)),
    "subTest": Computed("subTest", lambda run, case, *message, **values: Instance(_PART, run)),
    "fail": Computed("fail", _fail),
}
TEST_CASE = Class("TestCase", (), dict(_ASSERTIONS))
_AS_IT_IS: Builtin = Builtin("decorator", lambda run, function: function)
ROWS = Builtin("parametrize", lambda run, *rows, **words: _AS_IT_IS)
"""What ``pytest.mark.parametrize`` is."""
PLAIN_MARKS = ("fast", "integration", "slow", "smoke", "unit")
"""Marks that only say what sort of test it is."""
_MARKS = {"parametrize": ROWS, **dict.fromkeys(PLAIN_MARKS, _AS_IT_IS)}
TEST_MODULES: Mapping[str, Mapping[str, Any]] = {
    "pytest": {
        "approx": Computed("approx", _approximately),
        "fixture": Computed("fixture", lambda run, *function, **words: function[0] if function else _AS_IT_IS),
        "fail": Computed("fail", lambda run, *reason, **words: run.fail(None)),
        "mark": Module("pytest.mark", _MARKS),
        "param": Computed("param", lambda run, *values, **words: _row(values, words)),
        "raises": Computed("raises", _expecting),
    },
    "pytest.mark": _MARKS,
    "unittest": {"TestCase": TEST_CASE},
}


def _row(values: tuple[Any, ...], words: Mapping[str, Any]) -> Any:
    if words.keys() - {"id"}:
        give_up("marks a row")
    return values if len(values) != 1 else values[0]

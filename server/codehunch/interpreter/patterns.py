"""Regular expressions, as far as it is plain beforehand that they end: nothing can stop one that does not.

A matcher that tries all ways takes exponential time where what is repeated repeats itself or offers a choice (Davis et
al. 2018, "The Impact of Regular Expression Denial of Service"): that is not run. Else there are as many ways as the
repetitions and choices of a pattern have together, from each place of the text: they are paid for.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import attrs

from codehunch.interpreter.calling import Builtin, callback, makes
from codehunch.interpreter.running import MOST_ITEMS, Run, give_up

_TOKEN = re.compile(
    r"""(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<back>\\[1-9]|\(\?P=|\(\?\()|(?P<escape>\\.)|(?P<open>\((?:\?(?:P<\w+>|[^P)]*?[:=!>]|<[=!]))?)
    |(?P<close>\))|(?P<choice>\|)|(?P<repeat>[*+]|\{\d*,?\d*\})[?+]?|(?P<perhaps>\?)[?+]?|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_WRITTEN_WIDE = re.compile(r"(\[\^?\]?(?:\\.|[^\]\\])*\]|\\.)|\s+|#[^\n]*", re.DOTALL)
"""What stands in a pattern for who reads it, and, in the group, what does not."""
_BOUND = re.compile(r"\{(\d*)(,?)(\d*)\}")
_LONGEST = 500
"""Characters of a pattern."""
_MOST_WAYS = 10**9
_PER_STEP = 200
"""Ways that are tried in the time of a step."""
_FLAGS = {
    name: getattr(re, name)
    for name in ("A", "ASCII", "I", "IGNORECASE", "M", "MULTILINE", "S", "DOTALL", "U", "UNICODE", "X", "VERBOSE")
}


@attrs.frozen(eq=False)
class Pattern:
    """A pattern that may be run, and in how many ways it can match from one place of a text: the product of these, and
    of the length of the text for each repetition without a bound."""

    compiled: re.Pattern[str]
    ways: int
    unbounded: int


def _pattern(run: Run, pattern: Any, flags: Any = 0) -> Pattern:
    """Raises re.error as Python does, Undecided for what may never end."""
    if isinstance(pattern, Pattern):
        return pattern
    if not isinstance(pattern, str) or not isinstance(flags, int):
        give_up("uses a pattern that is not known here")
    run.charge(16 * len(pattern))
    found = _ways(_WRITTEN_WIDE.sub(r"\1", pattern) if int(flags) & re.VERBOSE else pattern)
    if found is None:
        give_up("uses a pattern that may not end")
    return _compiled(pattern, int(flags), *found)


@lru_cache(256)
def _compiled(pattern: str, flags: int, ways: int, unbounded: int) -> Pattern:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What a pattern may mean one day is for who runs it.
        return Pattern(re.compile(pattern, flags), ways, unbounded)


@lru_cache(256)
def _ways(pattern: str) -> tuple[int, int] | None:
    """See ``Pattern``; ``None`` where a repetition holds another, or a choice."""
    if len(pattern) > _LONGEST or "(?x" in pattern:
        return None
    ways, unbounded = 1, 0
    loose = [False]
    """For each open group, whether something in it repeats or may be one thing or another."""
    closed = False
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if kind == "back":
            return None
        if kind == "open":
            loose.append(False)
        elif kind == "close":
            if len(loose) == 1:
                return None
            closed = loose.pop()
            loose[-1] = loose[-1] or closed
            continue
        elif kind in ("choice", "perhaps"):
            loose[-1] = True
            ways = min(2 * ways, _MOST_WAYS)
        elif kind == "repeat":
            if closed:
                return None
            loose[-1] = True
            times = _times(text)
            unbounded += times is None
            ways = min(ways * (times or 1), _MOST_WAYS)
        closed = False
    return ways, unbounded


def _times(repeat: str) -> int | None:
    """In how many ways a repetition can be done; ``None`` where it has no bound."""
    bound = _BOUND.match(repeat)
    if bound is None or (bound[2] and not bound[3]):
        return None
    return max(1, int(bound[3] or bound[1] or 0) - int(bound[1] or 0) + 1)


def _ready(run: Run, pattern: Any, text: Any, flags: Any = 0) -> re.Pattern[str]:
    """The pattern, after its run on a text is paid for."""
    found = _pattern(run, pattern, flags)
    if isinstance(text, str):
        places = len(text) + 1
        run.tick(1 + min(places * found.ways * places**found.unbounded, _MOST_WAYS) // _PER_STEP)
    return found.compiled


def _searching(name: str) -> Callable[..., Any]:
    def search(run: Run, pattern: Any, string: Any, flags: Any = 0) -> Any:
        return getattr(_ready(run, pattern, string, flags), name)(string)

    return search


def _findall(run: Run, pattern: Any, string: Any, flags: Any = 0) -> Any:
    return run.sized(_ready(run, pattern, string, flags).findall(string))


def _finditer(run: Run, pattern: Any, string: Any, flags: Any = 0) -> Any:
    return run.items(_ready(run, pattern, string, flags).finditer(string))


def _split(run: Run, pattern: Any, string: Any, maxsplit: Any = 0, flags: Any = 0) -> Any:
    return run.sized(_ready(run, pattern, string, flags).split(string, maxsplit))


def _sub(run: Run, pattern: Any, repl: Any, string: Any, count: Any = 0, flags: Any = 0) -> Any:
    compiled = _ready(run, pattern, string, flags)
    if not isinstance(repl, str):
        called = callback(run, repl)
        return run.sized(compiled.sub(lambda match: run.sized(called(match)), string, count))
    if isinstance(string, str) and len(repl) * (len(string) + 1) > 4 * MOST_ITEMS:
        give_up("a text is too long")
    return run.sized(compiled.sub(repl, string, count))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _searching(name) for name in ("match", "search", "fullmatch")},
    "findall": _findall,
    "finditer": _finditer,
    "split": _split,
    "sub": _sub,
}
PATTERN_METHODS = _FUNCTIONS
"""What a compiled pattern can do: as the functions of the same names, with the pattern first."""
MATCH_METHODS = ("end", "group", "groupdict", "groups", "span", "start")

makes(re.error, lambda run, *arguments: re.error(*arguments))

RE: Mapping[str, Any] = {
    **{name: Builtin(name, compute) for name, compute in _FUNCTIONS.items()},
    **_FLAGS,
    "compile": Builtin("compile", _pattern),
    "escape": Builtin("escape", lambda run, pattern: run.sized(re.escape(run.sized(pattern)))),
    "error": re.error,
}
"""The module ``re``."""

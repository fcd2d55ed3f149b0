"""Whether what a call gave is what an example shows, as far as people are exact."""

from __future__ import annotations

import math
import re
from typing import Any

from codehunch.interpreter.program import Outcome

_LARGEST = 10**300
"""Numbers from here on are compared as they are: not every int is a float."""


def agrees(outcome: Outcome, wanted: Any) -> bool:
    """Whether a call gave what an example shows: ``4`` is ``4.0``, a tuple is a list, and a number has the digits that
    are shown."""
    return outcome.decided and not outcome.error and _is_plain(outcome.value) and _alike(outcome.value, wanted)


def contradicts(outcome: Outcome, wanted: Any, sure: bool = True) -> bool:
    """Whether a call gave something else than an example shows, or an error: but, unless the example is ``sure`` to
    mean these arguments, not one that comes of the wrong ones."""
    if outcome.error:
        return sure or outcome.error not in ("TypeError", "AttributeError")
    return outcome.decided and _is_plain(outcome.value) and not _alike(outcome.value, wanted)


def _is_plain(value: Any) -> bool:
    """Whether a value is what a literal can show."""
    if isinstance(value, dict):
        return all(map(_is_plain, (*value, *value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | complex | str | bytes)


def _alike(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return type(value) is type(wanted) and value == wanted
    if isinstance(wanted, float) and isinstance(value, int | float) and abs(value) < _LARGEST:
        return _rounds_to(float(value), wanted)
    if isinstance(wanted, list | tuple) and isinstance(value, list | tuple):
        return len(value) == len(wanted) and all(map(_alike, value, wanted))
    if isinstance(wanted, dict) and isinstance(value, dict):
        return value.keys() == wanted.keys() and all(_alike(value[key], each) for key, each in wanted.items())
    return bool(value == wanted)


def _rounds_to(value: float, shown: float) -> bool:
    if math.isclose(value, shown, rel_tol=1e-9, abs_tol=1e-12):
        return True
    digits = re.fullmatch(r"-?\d+\.(\d+)", repr(shown))
    return digits is not None and digits[1] != "0" and abs(value - shown) < 10.0 ** -len(digits[1])

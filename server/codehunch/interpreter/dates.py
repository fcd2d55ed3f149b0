"""Dates and times: what can be said of them without a clock and without a place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from codehunch.interpreter.calling import Builtin, makes
from codehunch.interpreter.running import Run, give_up

DATES = (date, time, timedelta)
"""A ``datetime`` is a date."""
KINDS: Mapping[str, type] = {each.__name__: each for each in (date, datetime, time, timedelta)}
VALUES: Mapping[type, tuple[str, ...]] = {
    datetime: ("hour", "minute", "second", "microsecond", "tzinfo"),
    date: ("year", "month", "day"),
    time: ("hour", "minute", "second", "microsecond", "tzinfo"),
    timedelta: ("days", "seconds", "microseconds"),
}
METHODS: Mapping[type, str] = {
    datetime: "date time",
    date: "isocalendar isoformat isoweekday replace toordinal weekday",
    time: "isoformat replace",
    timedelta: "total_seconds",
}
_CONSTANTS = {date: ("max", "min"), datetime: ("max", "min"), timedelta: ("max", "min", "resolution")}
_FORMAT = re.compile(r"(?:[^%]|%[YmdHMSfjyBbAaIp%])*")
_LONGEST = 200
_MAKERS: Mapping[tuple[type, str], Callable[..., Any]] = {
    (datetime, "strptime"): lambda run, text, form: datetime.strptime(_short(text), _known(form)),
    (datetime, "combine"): lambda run, day, of_day: datetime.combine(day, of_day),
    (datetime, "fromisoformat"): lambda run, text: datetime.fromisoformat(_short(text)),
    (date, "fromisoformat"): lambda run, text: date.fromisoformat(_short(text)),
    (date, "fromordinal"): lambda run, number: date.fromordinal(number),
}


def _short(text: Any) -> str:
    return text if isinstance(text, str) and len(text) <= _LONGEST else give_up("reads a date that is none")


def _known(form: Any) -> str:
    if not isinstance(form, str) or len(form) > _LONGEST or not _FORMAT.fullmatch(form):
        give_up("shows a date in a way that is not known here")
    return form


def shown_by(run: Run, value: Any, form: Any) -> str:
    """``value.strftime(form)``. Raises Undecided."""
    run.tick()
    return str(value.strftime(_known(form)))


def of_a_kind(kind: type, name: str) -> Any:
    """``date.name``, and its like; ``NotImplemented`` where that is not known."""
    if name in _CONSTANTS.get(kind, ()):
        return getattr(kind, name)
    compute = _MAKERS.get((kind, name))
    return Builtin(name, compute) if compute is not None else NotImplemented


for _kind in KINDS.values():
    makes(_kind, lambda run, *parts, _kind=_kind, **words: _kind(*parts, **words))

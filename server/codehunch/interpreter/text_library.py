"""The modules of the standard library that make texts of texts."""

from __future__ import annotations

import html
import json
import os.path
import textwrap
import unicodedata
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from codehunch.interpreter.calling import Builtin
from codehunch.interpreter.patterns import RE
from codehunch.interpreter.running import MOST_ITEMS, Run, give_up

_GROWS = 24
"""By how much a text of one letter can grow in any of these."""

_WIDEST = 1000
"""Columns."""


def _of_texts(function: Callable[..., Any]) -> Builtin:
    """One that takes time by the length of its texts, and makes each letter a few at most."""

    def run(run: Run, *arguments: Any, **words: Any) -> Any:
        given = [*arguments, *words.values()]
        length = sum(len(each) for each in given if isinstance(each, str))
        if length * _GROWS > 4 * MOST_ITEMS or any(isinstance(each, int) and each > _WIDEST for each in given):
            give_up("a text is too long")
        if not all(isinstance(each, str | int | None) for each in given):
            give_up(f"`{function.__name__}` of what is no text")
        run.charge(_GROWS * length)
        return run.sized(function(*arguments, **words))

    return Builtin(function.__name__, run)


def _dumps(run: Run, value: Any, **words: Any) -> Any:
    if not words.keys() <= {"sort_keys", "ensure_ascii", "indent"} or not isinstance(
        words.get("indent", 0), int | None
    ):
        give_up("writes JSON in a way that is not known here")
    if (words.get("indent") or 0) > 16:
        give_up("a text is too long")
    run.weigh(value)
    return run.sized(json.dumps(value, **words))


def _names(module: Any, names: str) -> dict[str, Any]:
    return {name: _of_texts(getattr(module, name)) for name in names.split()}


OS_PATH: Mapping[str, Any] = {
    **_names(os.path, "basename dirname isabs join normpath split splitext"),
    "sep": os.path.sep,
}
TEXT_MODULES: Mapping[str, Mapping[str, Any]] = {
    "re": RE,
    "html": _names(html, "escape unescape"),
    "json": {"loads": _of_texts(json.loads), "dumps": Builtin("dumps", _dumps)},
    "os.path": OS_PATH,
    "posixpath": OS_PATH,
    "textwrap": _names(textwrap, "dedent fill indent shorten wrap"),
    "unicodedata": _names(unicodedata, "category combining east_asian_width name normalize"),
    "urllib.parse": _names(urllib.parse, "quote quote_plus unquote unquote_plus"),
}

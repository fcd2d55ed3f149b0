"""Comprehensions, and functions with a key: the ways to put together what is said of each item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

ITEM, FIRST, SECOND = "_item", "_first", "_second"
"""Names of loop variables until the whole program is known."""


@attrs.frozen(eq=False)
class Form:
    """A way to put what is said of items together: ``_0`` is what is gone through, ``_1`` and ``_2`` what is said."""

    template: str
    says: str
    """What it says of an item: ``value``, ``test``, ``both``; ``order``, ``number``, ``text`` for some values."""
    compute: Callable[..., Any]
    """From the items of an example and what is said of each of them."""
    cost: int
    words: frozenset[str]
    pairs: bool = True
    """Whether it also makes sense of two variables at once."""


def _first(items: Sequence[Any], tests: Sequence[Any]) -> Any:
    return next((item for item, test in zip(items, tests, strict=True) if test), None)


def _kept(items: Sequence[Any], tests: Sequence[Any]) -> list[Any]:
    return [item for item, test in zip(items, tests, strict=True) if test]


def _by(items: Sequence[Any], keys: Sequence[Any], choose: Callable[..., Any]) -> Any:
    """What ``choose`` makes of the items with these keys; ties stay in their order, as Python leaves them."""
    places = choose(range(len(items)), key=lambda place: keys[place])
    return items[places] if isinstance(places, int) else [items[place] for place in places]


_FORMS: list[tuple[str, str, Callable[..., Any], int, str, bool]] = [
    ("[_1 for _target in _0]", "value", lambda items, said: list(said), 2, "each every all", True),
    ("[_item for _target in _0 if _1]", "test", _kept, 2, "filter only keep without remove", False),
    ("[_1 for _target in _0 if _2]", "both", lambda items, said, tests: _kept(said, tests), 3, "each only", True),
    ("sum(_1 for _target in _0)", "number", lambda items, said: sum(said), 2, "sum total", True),
    ("''.join(_1 for _target in _0)", "text", lambda items, said: "".join(said), 2, "join string", True),
    ("any(_1 for _target in _0)", "test", lambda items, tests: any(tests), 2, "any exist contain some", True),
    ("all(_1 for _target in _0)", "test", lambda items, tests: all(tests), 2, "all every each whether only", True),
    ("sum(1 for _target in _0 if _1)", "test", lambda items, tests: sum(1 for test in tests if test), 3,
     "count number many how", True),
    ("next((_item for _target in _0 if _1), None)", "test", _first, 4, "first find", False),
    ("sorted(_0, key=lambda _item: _1)", "order", lambda items, keys: _by(items, keys, sorted), 3,
     "sort order by according based", False),
    ("sorted(_0, key=lambda _item: _1, reverse=True)", "order",
     lambda items, keys: _by(items, keys, lambda places, key: sorted(places, key=key, reverse=True)), 4,
     "descending decreasing by", False),
    ("max(_0, key=lambda _item: _1)", "order", lambda items, keys: _by(items, keys, max), 3,
     "longest largest most maximum highest by", False),
    ("min(_0, key=lambda _item: _1)", "order", lambda items, keys: _by(items, keys, min), 3,
     "shortest smallest least minimum lowest closest by", False),
    ("{_item: _1 for _target in _0}", "value", lambda items, said: dict(zip(items, said, strict=True)), 3,
     "dictionary map dict mapping count", False),
]  # fmt: skip
FORMS = tuple(
    Form(template, says, compute, cost, frozenset(words.split()), pairs)
    for template, says, compute, cost, words, pairs in _FORMS
)

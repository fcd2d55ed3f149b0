"""Reading and writing names, wherever they live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codehunch.interpreter.builtin_functions import BUILTINS
from codehunch.interpreter.calling import Module
from codehunch.interpreter.running import Frame, give_up
from codehunch.interpreter.scopes import Scope

Thunk = Callable[[Frame], Any]
"""Gives a value."""
Store = Callable[[Frame, Any], None]
"""Puts a value somewhere."""


def name_load(name: str, scope: Scope | None) -> Thunk:
    """Reading a name."""
    hops = scope.hops(name) if scope is not None else None
    if hops == 0:

        def own(frame: Frame) -> Any:
            try:
                return _known(frame.values[name])
            except KeyError:
                raise UnboundLocalError(name) from None

        return own
    if hops is None:

        def of_the_file(frame: Frame) -> Any:
            try:
                return _known(frame.run.name(frame.names, name))
            except KeyError:
                if name in BUILTINS:
                    return BUILTINS[name]
            return give_up(f"`{name}` is not known")

        return of_the_file

    def outer(frame: Frame) -> Any:
        held = _outwards(frame, hops)
        try:
            return _known(held.values[name])
        except KeyError:
            raise NameError(name) from None

    return outer


def _known(value: Any) -> Any:
    if isinstance(value, Module) and not value.is_known:
        give_up(f"`{value.name}` is not known")
    return value


def _outwards(frame: Frame, hops: int) -> Frame:
    for _ in range(hops):
        assert frame.outer is not None
        frame = frame.outer
    return frame


def name_store(name: str, scope: Scope | None) -> Store:
    """Writing a name of a function."""
    hops = scope.hops(name) if scope is not None else None
    if hops is None:
        give_up("changes names of the file")

    def store(frame: Frame, value: Any) -> None:
        if type(value) is tuple:
            frame.run.shallow(value)
        _outwards(frame, hops).values[name] = value

    return store

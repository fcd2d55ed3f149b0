"""JSON to the protocol's types, for clients newer than this server too."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import cattrs
from lsprotocol import types
from pygls.protocol import default_converter


def tolerant_converter() -> cattrs.Converter:
    """Takes an enumeration's unknown value as it is, where it is of the right JSON type.

    Enumerations grow with the protocol. A client that knows one more kind of symbol, tag or trace must not be refused
    as a whole for it; compared with the values known here, it is simply none of them.
    """
    converter: cattrs.Converter = default_converter()  # type: ignore[no-untyped-call]
    for each in vars(types).values():
        if isinstance(each, type) and issubclass(each, Enum) and (issubclass(each, int) or issubclass(each, str)):
            converter.register_structure_hook(each, _known_or_as_it_is(each, int if issubclass(each, int) else str))
            converter.register_unstructure_hook(each, _plain)
    return converter


def _known_or_as_it_is(kind: type[Enum], plain: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            if isinstance(value, plain) and not isinstance(value, bool):
                return value
            raise

    return structure


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
